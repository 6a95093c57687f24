//! The Machine's network: loopback, its own address, and the proxy's.
//!
//! Both addresses lie on the loopback interface. There is no other interface
//! and no route, so nothing leaves and nothing else comes in.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd as _, OwnedFd},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink};

use super::{Doing as _, Step};

/// The Machine's own address.
pub(super) const MACHINE: Ipv4Addr = Ipv4Addr::new(172, 19, 0, 2);
/// The address from which Fly's proxy connects to Machines.
pub(super) const PROXY: Ipv4Addr = Ipv4Addr::new(172, 19, 0, 1);

/// The loopback interface's index in every new network namespace.
const LOOPBACK: u32 = 1;
const PREFIX_LENGTH: u8 = 24;

// From linux/rtnetlink.h, linux/netlink.h, linux/if_addr.h and linux/if.h.
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFF_UP: u32 = 1;
const AF_INET: u8 = 2;
const HEADER: usize = 16;

/// Raises the loopback interface and gives it the addresses.
pub(super) fn set_up() -> Step {
    let doing = || "setting up the network".to_owned();
    // Protocol 0 of this family is routing: links and addresses.
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .doing(doing)?;
    ask(&socket, RTM_NEWLINK, &raise()).doing(doing)?;
    for address in [MACHINE, PROXY] {
        ask(&socket, RTM_NEWADDR, &address_of(address)).doing(doing)?;
    }
    Ok(())
}

/// `struct ifinfomsg` that sets the interface up.
fn raise() -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    for word in [LOOPBACK, IFF_UP, IFF_UP] {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    body
}

/// `struct ifaddrmsg` and the address as local and peer.
fn address_of(address: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![AF_INET, PREFIX_LENGTH, 0, 0];
    body.extend_from_slice(&LOOPBACK.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        body.extend_from_slice(&8_u16.to_ne_bytes());
        body.extend_from_slice(&kind.to_ne_bytes());
        body.extend_from_slice(&address.octets());
    }
    body
}

/// Sends one request and waits for the kernel's acknowledgement.
fn ask(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE).to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(body);
    rustix::net::sendto(socket.as_fd(), &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 256];
    let (length, _) = rustix::net::recv(socket.as_fd(), &mut answer, RecvFlags::empty())?;
    acknowledged(answer.get(..length).unwrap_or_default())
}

/// `struct nlmsgerr` holds the negated error number, 0 for success.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed answer of the kernel");
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(HEADER..HEADER + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
        _ => Err(malformed()),
    }
}
