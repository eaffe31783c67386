//! The `roomkeeper` binary.
fn main() {
    print!("{}", roomkeeper::api::crds().yaml().unwrap_or_default());
}
