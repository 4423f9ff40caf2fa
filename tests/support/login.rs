//! What a client says during the handshake.

use super::Payload;

/// A client's part of the handshake; the default one logs in as guest.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) mechanism: &'static str,
    pub(crate) response: Vec<u8>,
    pub(crate) capabilities: &'static [&'static str],
    pub(crate) channel_max: u16,
    pub(crate) frame_max: u32,
    pub(crate) heartbeat: u16,
    pub(crate) vhost: &'static str,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            mechanism: "PLAIN",
            response: b"\0guest\0guest".to_vec(),
            capabilities: &[
                "authentication_failure_close",
                "basic.nack",
                "connection.blocked",
                "consumer_cancel_notify",
                "publisher_confirms",
            ],
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat: 0,
            vhost: "/",
        }
    }
}

impl Login {
    /// With this name and password.
    pub(crate) fn of(user: &str, password: &str) -> Self {
        Self { response: format!("\0{user}\0{password}").into_bytes(), ..Self::default() }
    }

    /// connection.start-ok
    pub(crate) fn start_ok(&self) -> Payload {
        let mut capabilities = Payload::new();
        for capability in self.capabilities {
            capabilities = capabilities.entry(capability, b't', [1]);
        }
        let capabilities = Payload::new().table(&capabilities);
        let properties = Payload::new().text("product", "warren's tests").entry(
            "capabilities",
            b'F',
            capabilities.0,
        );
        Payload::method(10, 11)
            .table(&properties)
            .short(self.mechanism)
            .long(&self.response)
            .short("en_US")
    }

    /// connection.tune-ok
    pub(crate) fn tune_ok(&self) -> Payload {
        Payload::method(10, 31).u16(self.channel_max).u32(self.frame_max).u16(self.heartbeat)
    }

    /// connection.open
    pub(crate) fn open(&self) -> Payload {
        Payload::method(10, 40).short(self.vhost).short("").u8(0)
    }
}
