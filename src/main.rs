//! The `liveline` program.

fn main() -> std::process::ExitCode {
    liveline::cli::main()
}
