//! The outbound adapter: calls the services that workflows name, and nothing else.
//!
//! [`HttpClient`] is the only way out of the process: it checks every address it dials, bounds
//! time and size, and says of each failure what it means for another attempt.

mod client;

pub use self::client::{
    Answer, ClientLimits, ConnectError, Deadline, HttpClient, Outgoing, Resolve, SendError,
    SystemResolver, native_roots,
};

#[cfg(test)]
mod downstream;
