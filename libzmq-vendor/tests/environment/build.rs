//! Builds libzmq, as any build script that uses this crate does.

fn main() -> Result<(), libzmq_vendor::Error> {
    libzmq_vendor::intercept();
    libzmq_vendor::Build::new().compile().map(drop)
}
