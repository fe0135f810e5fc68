//! Where packages are installed: the nearest `node_modules` folder above the importing file that has them.

use std::path::PathBuf;

use deno_core::url::Url;
use deno_semver::Version;
use node_resolver::errors::{
    PackageFolderResolveError, PackageFolderResolveErrorKind, PackageFolderResolveIoError,
    PackageNotFoundError,
};
use node_resolver::{InNpmPackageChecker, NpmPackageFolderResolver, UrlOrPath, UrlOrPathRef};

use crate::ext::packages;

/// Whether a file belongs to a package: its path has a folder for packages.
#[derive(Debug, Clone)]
pub(in crate::script) struct InNodeModules;

impl InNpmPackageChecker for InNodeModules {
    fn in_npm_package(&self, specifier: &Url) -> bool {
        specifier.scheme() == "file" && specifier.path().split('/').any(|part| part == packages::FOLDER)
    }
}

/// The folders of packages, as npm, pnpm and Yarn lay them out.
#[derive(Debug, Clone)]
pub(in crate::script) struct NodeModules;

impl NpmPackageFolderResolver for NodeModules {
    fn resolve_package_folder_from_package(
        &self,
        name: &str,
        referrer: &UrlOrPathRef,
    ) -> Result<PathBuf, PackageFolderResolveError> {
        let error = |kind| PackageFolderResolveError(Box::new(kind));
        let missing = |from: UrlOrPath| {
            error(PackageFolderResolveErrorKind::PackageNotFound(PackageNotFoundError {
                package_name: name.to_owned(),
                referrer: from,
                referrer_extra: None,
            }))
        };
        let Ok(from) = referrer.path() else { return Err(missing(referrer.display())) };
        let Some(found) = packages::folder_for(name, from) else {
            return Err(missing(UrlOrPath::Path(from.to_owned())));
        };
        found.canonicalize().map_err(|source| {
            error(PackageFolderResolveErrorKind::Io(PackageFolderResolveIoError {
                package_name: name.to_owned(),
                referrer: UrlOrPath::Path(from.to_owned()),
                source,
            }))
        })
    }

    /// Types are no concern of a program that runs.
    fn resolve_types_package_folder(
        &self,
        _name: &str,
        _version: Option<&Version>,
        _referrer: Option<&UrlOrPathRef>,
    ) -> Option<PathBuf> {
        None
    }
}
