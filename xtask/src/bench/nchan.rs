//! nginx with the nchan module: Debian's packages, unpacked into the cache folder and not installed, so that no
//! service of the system is started. It runs as a process of its own over a configuration of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::peers::NCHAN;
use super::server::{Launch, Ready};
use super::setup::BenchSetup;
use crate::checkout::complete;
use crate::failure::{Outcome, While, fail};
use crate::machine::find_program;

const MODULE: &str = "usr/lib/nginx/modules/ngx_nchan_module.so";
const MODULE_PACKAGE: &str = "libnginx-mod-nchan";

/// Its version, and how it is started.
pub fn prepare(setup: &BenchSetup<'_>) -> Outcome<(String, Launch)> {
    let folder = setup.folder.join(NCHAN);
    fs::create_dir_all(&folder).while_doing(format_args!("creating {}", folder.display()))?;
    let root = folder.join("root");
    if !root.join(MODULE).is_file() {
        unpack(&folder, &root)?;
    }
    // nginx cannot pick a port by itself.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let port = port.while_doing("looking for a free port")?.port();
    let template = setup.script("nchan.conf");
    let template = fs::read_to_string(&template).while_doing(format_args!("reading {template}"))?;
    let module = root.join(MODULE).display().to_string();
    let config = template.replace("MODULE", &module).replace("PORT", &port.to_string());
    let file = folder.join("nginx.conf");
    fs::write(&file, config).while_doing(format_args!("writing {}", file.display()))?;
    let [prefix, file, errors] =
        [folder.clone(), file, folder.join("error.log")].map(|path| path.display().to_string());
    let nginx = root.join("usr/sbin/nginx");
    let mut launch = setup.launch(NCHAN, nginx, &["-p", &prefix, "-c", &file, "-e", &errors]);
    launch.ready = Ready::Accepts(port);
    Ok((version(&folder), launch))
}

fn unpack(folder: &Path, root: &Path) -> Outcome {
    let (Some(apt), Some(dpkg)) = (find_program("apt-get"), find_program("dpkg")) else {
        return fail("nginx with nchan comes from Debian's packages, and there is no apt-get or no dpkg");
    };
    println!("unpacking nginx and nchan from Debian's packages into {}", root.display());
    let mut download = Command::new(apt);
    download.args(["download", "nginx", MODULE_PACKAGE]).current_dir(folder).stdout(Stdio::null());
    complete(&mut download).while_doing("nginx with nchan (`apt-get update` may help)")?;
    for package in packages(folder) {
        complete(Command::new(&dpkg).arg("-x").arg(package).arg(root))?;
    }
    Ok(())
}

fn packages(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "deb")).collect()
}

/// From the name of the module's package: `NAME_VERSION_MACHINE.deb`.
fn version(folder: &Path) -> String {
    let names = packages(folder).into_iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
    let module = names.into_iter().find(|name| name.starts_with(MODULE_PACKAGE));
    let version = module.as_deref().and_then(|name| name.split('_').nth(1)).unwrap_or("unknown");
    version.replace("%3a", ":")
}
