//! Standard output, where results go, and standard error, for what is said besides.
//!
//! Nothing here decides what is printed. What was only a remark is lost if nobody reads it.

use std::io::{self, Write};

use super::failure::CommandError;

/// Writes to standard output. A reader that has seen enough (`starling status | head -1`) is no
/// failure, any other error is.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Tells whoever reads standard error something that is no result: standard output may be read by
/// a program. If standard error is closed there is nobody to be told, which is no failure.
pub(super) fn note(words: &str) {
    let _nobody_reads = writeln!(io::stderr(), "starling: {words}");
}
