//! `liveline types`: the declarations of what handlers can use, written where editors find them.

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

/// Where they go, from the project's folder.
const FOLDER: &str = ".liveline/types";

/// What tells an editor of them.
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

/// The file that configures editors already.
fn config_of(root: &Path) -> Option<&'static str> {
    ["tsconfig.json", "jsconfig.json"].into_iter().find(|name| root.join(name).exists())
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|source| CliError::Write { path: path.into(), source })
}
