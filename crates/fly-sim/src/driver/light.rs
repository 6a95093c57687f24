//! Connections to Machines without a process: the light gateway answers them.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use futures::future::BoxFuture;

use super::{Launch, Stream, contents};
use crate::light_gateway::{LightGateway, Version};

/// Fly's proxy as a Machine sees it.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 19, 0, 1));

/// Connects to a gateway made for this Machine.
pub fn respond(launch: Launch, _port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
    Box::pin(async move {
        let config = launch.config.value();
        let env = contents::environment(&launch, &config);
        let files = contents::files(&launch, &config).map_err(io::Error::other)?;
        let files = files.into_iter().map(|file| (file.path, file.bytes)).collect();
        let version = Version::of_image(&launch.image).unwrap_or(Version::ATTRIBUTION);
        let gateway = LightGateway::new(version, &env, &files);
        Ok(Box::new(gateway.connect(PROXY)) as Box<dyn Stream>)
    })
}
