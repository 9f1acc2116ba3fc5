//! The notation of messages.

use std::sync::LazyLock;

/// The content of the longest frame. The other long frames have its first bytes.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..1 << 20).map(|i| (i * 167 + (i >> 8) * 13) as u8).collect());
/// The longest content that the peer prints in full.
const SHOWN: usize = 34;

/// A message's frames from its notation.
pub fn frames(message: &str) -> Vec<Vec<u8>> {
    let frame = |text: &str| match text.as_bytes() {
        [b'#', ..] => PATTERN[..text[1..].parse().unwrap()].to_vec(),
        [b'%', digits @ ..] => {
            let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
            digits.chunks(2).map(byte).collect()
        }
        text => text.to_vec(),
    };
    message.split('|').map(frame).collect()
}

/// A message as the peer prints it.
pub fn described(frames: &[Vec<u8>]) -> String {
    let content = |frame: &[u8]| match frame.len() {
        0..=SHOWN => frame.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ if PATTERN.starts_with(frame) => "pattern".to_owned(),
        _ => "unknown".to_owned(),
    };
    frames.iter().map(|frame| format!("{}:{}", frame.len(), content(frame))).collect::<Vec<_>>().join("|")
}
