#![no_main]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| moorage_fuzz::certificate(octets));
