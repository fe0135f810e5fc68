//! The functions of an executable that can be placed: their addresses, and the names that its symbol table gives them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::failure::{Outcome, While, fail};

/// V8's builtins lie in one section, which the linker moves only as a whole.
const BUILTINS: &str = "Builtins_";
/// Parts of the names of V8's optimising compilers.
const COMPILERS: [&str; 2] = ["2v88internal8compiler", "2v88internal6maglev"];

pub struct Functions {
    names: BTreeMap<u64, Vec<String>>,
    addresses: Vec<u64>,
}

impl Functions {
    /// Reads the symbol table with `readelf`, which comes with every C compiler on Linux.
    pub fn of(program: &Path) -> Outcome<Self> {
        let output = Command::new("readelf").args(["--symbols", "--wide"]).arg(program).output();
        let output = output.while_doing("starting `readelf`")?;
        let functions = Self::parse(&String::from_utf8_lossy(&output.stdout));
        match functions.addresses.is_empty() {
            true => fail(format!("readelf finds no functions in {}", program.display())),
            false => Ok(functions),
        }
    }

    /// Lines of `readelf --symbols --wide`: number, address, size, type, binding, visibility, section, name.
    pub fn parse(table: &str) -> Self {
        let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for line in table.lines() {
            let columns: Vec<&str> = line.split_ascii_whitespace().collect();
            let &[_, address, size, "FUNC", _, _, section, name] = columns.as_slice() else { continue };
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            if size != "0" && section != "UND" && !name.starts_with(BUILTINS) {
                names.entry(address).or_default().push(name.to_owned());
            }
        }
        let addresses = names.keys().copied().collect();
        Self { names, addresses }
    }

    /// Ascending, each once.
    pub fn addresses(&self) -> &[u64] {
        &self.addresses
    }

    pub fn names(&self, address: u64) -> &[String] {
        self.names.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Whether it belongs to V8's optimising compilers, which run only until the hot code is compiled.
    pub fn is_of_compilers(&self, address: u64) -> bool {
        self.names(address).iter().any(|name| COMPILERS.iter().any(|part| name.contains(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_keeps_functions_that_can_be_placed() {
        let functions = Functions::parse(
            "   Num:    Value          Size Type    Bind   Vis      Ndx Name\n\
             1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND write@GLIBC_2.2.5 (2)\n\
             2: 0000000000003000     8 OBJECT  LOCAL  DEFAULT   12 table\n\
             3: 0000000000002000    16 FUNC    LOCAL  HIDDEN    15 run\n\
             4: 0000000000004000    16 FUNC    GLOBAL DEFAULT   15 Builtins_Add\n\
             5: 0000000000001000     0 FUNC    LOCAL  DEFAULT   15 label\n",
        );
        assert_eq!(functions.addresses(), [0x2000]);
        assert_eq!(functions.names(0x2000), ["run"]);
        assert!(functions.names(0x3000).is_empty());
    }
}
