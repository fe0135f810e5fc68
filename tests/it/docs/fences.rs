//! Markdown, as far as it shows code: sections and their fenced blocks.

/// What stands between two `## ` headings.
pub struct Section {
    pub heading: String,
    pub fences: Vec<Fence>,
}

/// A fenced block.
pub struct Fence {
    /// What follows the opening backticks.
    info: String,
    pub content: String,
    /// Where it begins.
    pub line: usize,
}

impl Fence {
    pub fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// The file it shows: ```` ```js title="routes/handler.js" ````.
    pub fn title(&self) -> Option<&str> {
        self.info.split_once("title=\"")?.1.split('"').next()
    }

    /// The commands after each `$ `, a trailing `\` going on in the next line, and what each prints.
    pub fn commands(&self) -> impl Iterator<Item = (String, &str)> {
        let starts = format!("\n{}", self.content);
        let shown: Vec<_> = starts.match_indices("\n$ ").map(|(at, _)| at).collect();
        let ends: Vec<_> = shown.iter().skip(1).copied().chain([self.content.len()]).collect();
        shown.into_iter().zip(ends).map(|(start, end)| {
            let shown = &self.content[start + "$ ".len()..end];
            let mut length = 0;
            for line in shown.split_inclusive('\n') {
                length += line.len();
                if !line.trim_end().ends_with('\\') {
                    break;
                }
            }
            (shown[..length].replace("\\\n", " ").trim().to_owned(), shown[length..].trim())
        })
    }
}

pub fn sections(markdown: &str) -> Vec<Section> {
    let mut sections = vec![Section { heading: String::new(), fences: Vec::new() }];
    let mut inside = false;
    for (text, line) in markdown.lines().zip(1..) {
        let section = sections.last_mut().expect("there is one from the start");
        let mark = text.strip_prefix("```");
        match (mark, text.strip_prefix("## ")) {
            (Some(info), _) if !inside => {
                section.fences.push(Fence { info: info.into(), content: String::new(), line });
            }
            (None, Some(heading)) if !inside => {
                sections.push(Section { heading: heading.into(), fences: Vec::new() });
            }
            (None, _) if inside => {
                let fence = section.fences.last_mut().expect("a fence was opened");
                fence.content.extend([text, "\n"]);
            }
            _ => {}
        }
        inside = inside != mark.is_some();
    }
    sections
}
