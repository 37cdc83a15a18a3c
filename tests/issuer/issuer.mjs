// An OpenID Connect issuer with keys of its own, new at each start: `node issuer.mjs PORT`.
// Port 0 takes a free one; the line that it prints says which.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const SCOPES = ['trigger', 'read', 'manage'];

const server = createServer();
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const client = (id, algorithm) => ({
    client_id: id,
    client_secret: 'secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: SCOPES.join(' '),
    id_token_signed_response_alg: algorithm,
  });
  const provider = new Provider(issuer, {
    clients: [client('robot', 'RS256')],
    scopes: SCOPES,
    jwks: {
      keys: [
        key('RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })),
        key('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
      ],
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // The last part of a resource says how its tokens are signed: urn:flowker:ES256.
        getResourceServerInfo: (_, resource) => ({
          audience: resource,
          scope: SCOPES.join(' '),
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: resource.split(':').pop() } },
        }),
      },
    },
  });
  server.on('request', provider.callback());
  console.log(`issuer is ready on ${issuer}`);
});

function key(algorithm, { privateKey }) {
  const members = { alg: algorithm, use: 'sig', kid: randomUUID() };
  return { ...privateKey.export({ format: 'jwk' }), ...members };
}
