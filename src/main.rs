//! The `liveline` program.

fn main() -> std::process::ExitCode {
    liveline::main()
}
