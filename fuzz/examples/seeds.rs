//! Writes every target's seeds into its corpus: `cargo run --release --example seeds` in this folder.

use spapr_fuzz::bodies::TARGETS;

fn main() -> std::io::Result<()> {
    for (name, _, seeds) in TARGETS {
        let corpus = std::path::Path::new("corpus").join(name);
        std::fs::create_dir_all(&corpus)?;
        for (k, seed) in seeds().iter().enumerate() {
            std::fs::write(corpus.join(format!("seed-{k:03}")), seed)?;
        }
    }
    Ok(())
}
