//! Resolves the paths and addresses that the rules of permissions are compared with.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use deno_path_util::fs::canonicalize_path_maybe_not_exists;
use deno_permissions::{
    AllowRunDescriptorParseResult, DenyRunDescriptor, EnvDescriptor, EnvDescriptorParseError, FfiDescriptor,
    Host, ImportDescriptor, NetDescriptor, NetDescriptorParseError, PathQueryDescriptor, PathResolveError,
    PermissionDescriptorParser, ReadDescriptor, RunDescriptorParseError, RunQueryDescriptor,
    RuntimePermissionDescriptorParser, SpecialFilePathQueryDescriptor, SysDescriptor,
    SysDescriptorParseError, WriteDescriptor,
};
use ipnet::IpNet;
use sys_traits::impls::RealSys;

use super::{OwnFiles, Reach};

/// The path that stands for all files of the server. Every rule denies it, and no file has it.
pub(super) const OWN_FILE: &str = "/dev/liveline/own";

/// How messages name a file of the server.
const OWN_FILE_NAME: &str = "<a file of the server>";

/// Deno's parser, with symbolic links resolved and relative paths below the project.
#[derive(Debug)]
pub(super) struct Parser {
    deno: RuntimePermissionDescriptorParser<RealSys>,
    project: PathBuf,
    read: Reach,
    write: Reach,
    own_files: OwnFiles,
}

impl Parser {
    pub(super) fn new(project: PathBuf, read: Reach, write: Reach, own_files: OwnFiles) -> Parser {
        Parser { deno: RuntimePermissionDescriptorParser::new(RealSys), project, read, write, own_files }
    }

    /// The place of a file: the symbolic links of its folders are resolved, and its own if the link leads to where
    /// handlers may neither read nor write. Any other link stays, because `lstat` and `unlink` are about the link.
    fn place(&self, path: &Path) -> Result<PathBuf, PathResolveError> {
        let whole = PathQueryDescriptor::new_known_absolute(Cow::Owned(self.project.join(path)));
        let whole = whole.into_descriptor().into_path_buf();
        let (Some(folder), Some(name)) = (whole.parent(), whole.file_name()) else { return Ok(whole) };
        let folder =
            canonicalize_path_maybe_not_exists(&RealSys, folder).map_err(PathResolveError::Canonicalize)?;
        let place = folder.join(name);
        let real = match std::fs::read_link(&place) {
            Err(_) => return Ok(place),
            Ok(target) => place.canonicalize().unwrap_or_else(|_| {
                let target = PathQueryDescriptor::new_known_absolute(Cow::Owned(folder.join(target)));
                target.into_descriptor().into_path_buf()
            }),
        };
        let is_in_reach = self.read.holds(&real) || self.write.holds(&real);
        Ok(if is_in_reach && !self.own_files.hold(&real) { place } else { real })
    }
}

impl PermissionDescriptorParser for Parser {
    fn parse_path_query<'a>(&self, path: Cow<'a, Path>) -> Result<PathQueryDescriptor<'a>, PathResolveError> {
        if path.as_os_str().is_empty() {
            return Err(PathResolveError::EmptyPath);
        }
        let place = self.place(&path)?;
        if self.own_files.hold(&place) {
            let own = PathQueryDescriptor::new_known_absolute(Cow::Borrowed(Path::new(OWN_FILE)));
            return Ok(own.with_requested(OWN_FILE_NAME.to_owned()));
        }
        Ok(PathQueryDescriptor::new_known_absolute(Cow::Owned(place)))
    }

    /// Networks of IPv6 contain colons, which Deno's parser takes for the begin of a port.
    fn parse_net_descriptor(&self, text: &str) -> Result<NetDescriptor, NetDescriptorParseError> {
        match text.parse::<IpNet>() {
            Ok(network) => Ok(NetDescriptor(Host::IpSubnet(network), None)),
            Err(_) => self.deno.parse_net_descriptor(text),
        }
    }

    fn parse_read_descriptor(&self, text: &str) -> Result<ReadDescriptor, PathResolveError> {
        self.deno.parse_read_descriptor(text)
    }

    fn parse_write_descriptor(&self, text: &str) -> Result<WriteDescriptor, PathResolveError> {
        self.deno.parse_write_descriptor(text)
    }

    fn parse_import_descriptor(&self, text: &str) -> Result<ImportDescriptor, NetDescriptorParseError> {
        self.deno.parse_import_descriptor(text)
    }

    fn parse_env_descriptor(&self, text: &str) -> Result<EnvDescriptor, EnvDescriptorParseError> {
        self.deno.parse_env_descriptor(text)
    }

    fn parse_sys_descriptor(&self, text: &str) -> Result<SysDescriptor, SysDescriptorParseError> {
        self.deno.parse_sys_descriptor(text)
    }

    fn parse_allow_run_descriptor(
        &self,
        text: &str,
    ) -> Result<AllowRunDescriptorParseResult, RunDescriptorParseError> {
        self.deno.parse_allow_run_descriptor(text)
    }

    fn parse_deny_run_descriptor(&self, text: &str) -> Result<DenyRunDescriptor, PathResolveError> {
        self.deno.parse_deny_run_descriptor(text)
    }

    fn parse_ffi_descriptor(&self, text: &str) -> Result<FfiDescriptor, PathResolveError> {
        self.deno.parse_ffi_descriptor(text)
    }

    fn parse_special_file_descriptor<'a>(
        &self,
        path: PathQueryDescriptor<'a>,
    ) -> Result<SpecialFilePathQueryDescriptor<'a>, PathResolveError> {
        self.deno.parse_special_file_descriptor(path)
    }

    fn parse_net_query(&self, text: &str) -> Result<NetDescriptor, NetDescriptorParseError> {
        self.deno.parse_net_query(text)
    }

    fn parse_run_query<'a>(
        &self,
        requested: &'a str,
    ) -> Result<RunQueryDescriptor<'a>, RunDescriptorParseError> {
        self.deno.parse_run_query(requested)
    }
}
