//! The way from the enclave to the key server that its configuration names. What passes is TLS that ends in the enclave.

use std::time::Duration;

use chrysalis_wire::{
    configuration::Configuration,
    frame::{FrameError, write_async},
    host::FromHost,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::TcpStream,
    time::timeout,
};

/// How long the server may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a conversation may last: a question and an answer.
const CONVERSATION: Duration = Duration::from_mins(1);

/// Where the configuration says that keys are; `None` if it names no server.
pub(super) fn address(configuration: &[u8]) -> Option<String> {
    let configuration = Configuration::parse(configuration).ok()?;
    Some(configuration.keys?.address)
}

/// Connects, says how that went, and carries bytes both ways until one side has had enough.
pub(super) async fn carry(
    guest: &mut (impl AsyncRead + AsyncWrite + Unpin),
    address: Option<&str>,
) -> Result<(), FrameError> {
    let connected = match address {
        None => Err("the configuration names no key server".to_owned()),
        Some(address) => match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(server)) => Ok(server),
            Ok(Err(error)) => Err(format!("{address}: {error}")),
            Err(_) => Err(format!("{address} does not answer")),
        },
    };
    match connected {
        Ok(mut server) => {
            write_async(guest, &FromHost::Connected).await?;
            let carried = timeout(CONVERSATION, copy_bidirectional(guest, &mut server));
            carried.await.map_or(Ok(()), |done| Ok(done.map(drop)?))
        }
        Err(why) => write_async(guest, &FromHost::Refused(why)).await,
    }
}

#[cfg(test)]
mod tests {
    use chrysalis_wire::frame::read_async;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn carries_both_ways_once_it_said_that_it_does() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
            assert_eq!(&word, b"ping");
        });
        let (mut near, mut far) = duplex(1024);
        let carrying = tokio::spawn(async move { carry(&mut far, Some(&address)).await });
        let said: FromHost = read_async(&mut near).await.unwrap();
        assert_eq!(said, FromHost::Connected);
        near.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        near.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"pong");
        drop(near);
        carrying.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn says_why_there_is_no_way() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = taken.local_addr().unwrap().to_string();
        drop(taken);
        for (address, why) in [(None, "names no key server"), (Some(nobody), "refused")] {
            let (mut near, mut far) = duplex(1024);
            carry(&mut far, address.as_deref()).await.unwrap();
            match read_async(&mut near).await.unwrap() {
                FromHost::Refused(said) => assert!(said.contains(why), "{said}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_configuration_without_keys_names_no_server() {
        assert_eq!(address(b"nonsense"), None);
    }
}
