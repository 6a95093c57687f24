//! Packets with file descriptors over a socket that keeps message borders.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::Interest, net::UnixDatagram};

/// The most bytes of one packet; below the kernel's default socket buffer.
const MAX_PACKET: usize = 192 * 1024;
/// The most descriptors beside one packet: stdin, stdout and stderr.
const MAX_FDS: usize = 3;

/// One end of the control channel.
///
/// The socket is of the kind that keeps borders *and* tells when the other end
/// closed, for which Tokio has no type; its datagram socket waits for it alike.
pub(super) struct Control {
    socket: UnixDatagram,
}

impl Control {
    /// A channel: the own end, and the end for init.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::new(near)?, far))
    }

    /// Takes over an end; it must be non-blocking, as [`Control::pair`] makes them.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { socket: UnixDatagram::from_std(socket.into())? })
    }

    /// Sends one packet, whole or not at all.
    pub(super) async fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = encode(message)?;
        let send = || send_packet(self.socket.as_fd(), &bytes, fds);
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    /// The next packet; `None` once the other end is closed.
    pub(super) async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut buffer = vec![0; MAX_PACKET];
        let receive = || receive_packet(self.socket.as_fd(), &mut buffer);
        let received = self.socket.async_io(Interest::READABLE, receive).await?;
        decode(&buffer, received)
    }

    /// Ends the channel for both sides.
    pub(super) fn close(&self) {
        // It may be closed already, which is what is wanted.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }
}

/// Sends one packet without waiting.
pub(super) fn send_now<T: Serialize>(socket: BorrowedFd<'_>, message: &T) -> io::Result<()> {
    send_packet(socket, &encode(message)?, &[])
}

fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MAX_PACKET {
        let text = format!("{} bytes are more than a request may have", bytes.len());
        return Err(io::Error::new(io::ErrorKind::ArgumentListTooLong, text));
    }
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(
    buffer: &[u8],
    (length, fds): (usize, Vec<OwnedFd>),
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let packet = buffer.get(..length).unwrap_or_default();
    if packet.is_empty() {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(packet)?, fds)))
}

fn send_packet(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_packet(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = match recvmsg(socket, &mut parts, &mut beside, RecvFlags::CMSG_CLOEXEC) {
        // A peer that died with packets unread resets the socket: the same as closed.
        Err(rustix::io::Errno::CONNRESET) => return Ok((0, Vec::new())),
        other => other?,
    };
    let mut fds = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((received.bytes, fds))
}
