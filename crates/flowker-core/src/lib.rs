//! The domain of Flowker and the ports through which it meets the world.

pub mod condition;
pub mod decimal;
pub mod json;
pub mod net;
pub mod path;
pub mod signature;
pub mod template;
pub mod transform;
