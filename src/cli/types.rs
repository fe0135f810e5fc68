//! `liveline types`: writes the type declarations of the handlers' API into a project.

use std::fs;
use std::path::Path;

use super::args::Types;
use super::{CliError, print};
use crate::router::Layout;

/// Every file of `runtime-js/types/`.
const DECLARATIONS: &[(&str, &str)] = embed!(
    named_text,
    "runtime-js/types",
    [
        "actors.d.ts",
        "channel.d.ts",
        "client.d.ts",
        "event.d.ts",
        "fetch-plus.d.ts",
        "index.d.ts",
        "live-response.d.ts",
        "observer.d.ts",
        "password.d.ts",
        "port.d.ts",
        "shared.d.ts",
        "sql.d.ts",
        "storage.d.ts",
        "upload.d.ts",
        "websocket.d.ts",
    ]
);

/// The folder of the declarations, below the project's.
const FOLDER: &str = ".liveline/types";

/// The content of `jsconfig.json`, where an editor finds the declarations.
const CONFIG: &str = r#"{
  "compilerOptions": {
    "target": "esnext",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["esnext", "dom", "dom.iterable"],
    "strict": true,
    "noEmit": true,
    "paths": {
      "@webqit/webflo": ["./.liveline/types/index.d.ts"],
      "@webqit/fetch-plus": ["./.liveline/types/fetch-plus.d.ts"],
      "@webqit/observer": ["./.liveline/types/observer.d.ts"]
    }
  },
  "include": ["**/*", ".liveline/types"]
}
"#;

/// Runs the command.
pub(super) fn run(args: &Types) -> Result<(), CliError> {
    let root = Layout::find(&args.dir, None)?.root;
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|source| CliError::Write { path: folder.clone(), source })?;
    for (name, declarations) in DECLARATIONS {
        write(&folder.join(name), declarations)?;
    }
    print(&format!("wrote {} files to {}", DECLARATIONS.len(), args.dir.join(FOLDER).display()));
    match config_of(&root) {
        None => {
            write(&root.join("jsconfig.json"), CONFIG)?;
            print(&format!("wrote {}", args.dir.join("jsconfig.json").display()));
        }
        Some(name) => {
            print(&format!("{name} is there already; it needs the `paths` and `include` of this:\n{CONFIG}"))
        }
    }
    Ok(())
}

/// The configuration file of the project, if it has one.
fn config_of(root: &Path) -> Option<&'static str> {
    ["tsconfig.json", "jsconfig.json"].into_iter().find(|name| root.join(name).exists())
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|source| CliError::Write { path: path.into(), source })
}
