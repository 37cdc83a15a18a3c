// Shows the description of the API, and sends requests that are put together here.
// No library: the page works without a network, and its policy allows no code from elsewhere.
"use strict";

const root = new URL("..", document.currentScript.src);
const methods = ["get", "post", "put", "patch", "delete"];
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is text, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** What a reference stands for. */
function resolved(description, node) {
  while (node && node.$ref) {
    const { $ref, ...beside } = node;
    const target = $ref.slice(2).split("/").reduce((at, part) => at[part], description);
    node = { ...target, ...beside };
  }
  return node;
}

/** A schema in few words, references followed as deep as is readable. */
function outline(description, schema, depth = 0) {
  const it = resolved(description, schema);
  if (!it || depth > 5) return "…";
  if (it.enum) return it.enum.join(" | ");
  const variants = it.anyOf || it.oneOf;
  if (variants) return variants.map((one) => outline(description, one, depth + 1));
  const types = [].concat(it.type || "any");
  if (types.includes("array")) return [outline(description, it.items, depth + 1)];
  if (types.includes("object") && it.properties) {
    const required = it.required || [];
    return Object.fromEntries(Object.entries(it.properties).map(([name, member]) => [
      required.includes(name) ? name : name + "?", outline(description, member, depth + 1),
    ]));
  }
  return types.join(" | ") + (it.format ? ` (${it.format})` : "");
}

const pretty = (value) => JSON.stringify(value, null, 2);

function parameterRow(description, parameter) {
  const schema = resolved(description, parameter.schema);
  const hint = schema.default ?? (schema.enum ? schema.enum.join(" | ") : schema.format || "");
  const input = element("input", { placeholder: String(hint), spellcheck: "false" });
  input.dataset.name = parameter.name;
  input.dataset.place = parameter.in;
  const name = element("code", {}, parameter.name + (parameter.required ? " *" : ""));
  return element("tr", {}, element("td", {}, name), element("td", {}, parameter.in),
    element("td", {}, input), element("td", {}, parameter.description || ""));
}

function responseRow(description, status, response) {
  const it = resolved(description, response);
  const content = Object.entries(it.content || {})[0];
  const cells = [element("td", {}, element("code", {}, status)),
    element("td", { class: "lines" }, it.description || "")];
  if (content) {
    const shape = element("pre", {}, pretty(outline(description, content[1].schema)));
    cells[1].append(element("details", {}, element("summary", {}, content[0]), shape));
  }
  return element("tr", {}, ...cells);
}

/** The request as it is filled in: address, headers, body. */
function request(path, form) {
  const query = new URLSearchParams();
  const headers = {};
  let filled = path;
  for (const input of form.querySelectorAll("input[data-name]")) {
    const { name, place } = input.dataset;
    if (place === "path") filled = filled.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value !== "" && place === "query") query.set(name, input.value);
    else if (input.value !== "") headers[name] = input.value;
  }
  if (byId("key").value) headers["X-API-Key"] = byId("key").value;
  if (byId("token").value) headers.Authorization = `Bearer ${byId("token").value}`;
  const body = form.querySelector("textarea")?.value || undefined;
  if (body) headers["Content-Type"] = "application/json";
  const search = query.size ? `?${query}` : "";
  return { url: new URL(filled.slice(1) + search, root), headers, body };
}

/** How headers with credentials are written where they may be seen. */
const placeholders = { "X-API-Key": "$API_KEY", Authorization: "Bearer $TOKEN" };

/** The same request for a shell, without the credentials. */
function asCommand(method, { url, headers, body }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const shown = Object.entries(headers).map(([name, value]) =>
    `-H ${name in placeholders ? `"${name}: ${placeholders[name]}"` : quoted(`${name}: ${value}`)}`);
  const parts = ["curl -i", `-X ${method.toUpperCase()}`, ...shown];
  if (body) parts.push(`-d ${quoted(body)}`);
  return [...parts, quoted(url.href)].join(" ");
}

async function send(method, path, form, output) {
  const { url, headers, body } = request(path, form);
  const command = asCommand(method, { url, headers, body });
  output.textContent = `${command}\n\n…`;
  try {
    const began = performance.now();
    const answer = await fetch(url, { method: method.toUpperCase(), headers, body, credentials: "omit" });
    const text = await answer.text();
    const ms = Math.round(performance.now() - began);
    const head = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    let shown = text;
    try { shown = pretty(JSON.parse(text)); } catch { /* It is no JSON, and shown as it is. */ }
    output.textContent = `${command}\n\n${answer.status} ${answer.statusText} (${ms} ms)\n${head}\n\n${shown}`;
  } catch (error) {
    output.textContent = `${command}\n\n${error}`;
  }
}

/** What is inside of an operation, made when it is opened first. */
function form(description, path, method, operation) {
  const made = element("div");
  const parameters = operation.parameters || [];
  if (parameters.length) {
    const rows = parameters.map((it) => parameterRow(description, resolved(description, it)));
    made.append(element("h3", {}, "Parameters"), element("table", {}, ...rows));
  }
  const content = resolved(description, operation.requestBody)?.content?.["application/json"];
  if (content) {
    const text = element("textarea", { spellcheck: "false" });
    text.value = operation.requestBody.required ? pretty(content.example) : "";
    text.placeholder = pretty(content.example);
    const shape = element("pre", {}, pretty(outline(description, content.schema)));
    made.append(element("h3", {}, "Body"), text,
      element("details", {}, element("summary", {}, "schema"), shape));
  }
  const button = element("button", { type: "button" }, "Send");
  const output = element("pre", { class: "hidden" });
  button.addEventListener("click", () => {
    output.classList.remove("hidden");
    send(method, path, made, output);
  });
  const rows = Object.entries(operation.responses)
    .map(([status, response]) => responseRow(description, status, response));
  made.append(button, output, element("h3", {}, "Answers"), element("table", {}, ...rows));
  return made;
}

function entry(description, path, method, operation) {
  const line = element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("span", { class: "path" }, path), element("span", { class: "summary" }, operation.summary));
  const made = element("details", { class: "operation", id: operation.operationId }, line);
  made.dataset.words = `${method} ${path} ${operation.summary}`.toLowerCase();
  made.addEventListener("toggle", () => made.append(form(description, path, method, operation)), { once: true });
  return made;
}

function show(description) {
  byId("about").textContent = description.info.description;
  const sections = description.tags.map((tag) => {
    const entries = Object.entries(description.paths).flatMap(([path, item]) => methods
      .filter((method) => item[method]?.tags.includes(tag.name))
      .map((method) => entry(description, path, method, item[method])));
    return element("section", {}, element("h2", {}, tag.name), element("p", {}, tag.description), ...entries);
  });
  byId("operations").replaceChildren(...sections);
}

byId("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const it of document.querySelectorAll(".operation")) {
    it.classList.toggle("hidden", !words.every((word) => it.dataset.words.includes(word)));
  }
});

fetch(new URL("swagger/doc.json", root))
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { byId("operations").textContent = `The description cannot be loaded: ${error}`; });
