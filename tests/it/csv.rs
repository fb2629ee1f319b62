//! The golden tables of VSMT, row by row.

/// A row by column name.
pub struct Row<'a> {
    header: &'a [String],
    fields: Vec<String>,
}

impl Row<'_> {
    /// A field.
    pub fn get(&self, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column).unwrap_or_else(|| panic!("no column {column}"));
        &self.fields[at]
    }

    /// A field that may be empty.
    pub fn some(&self, column: &str) -> Option<&str> {
        Some(self.get(column)).filter(|text| !text.is_empty() && *text != "None")
    }

    /// A number, if there is one.
    pub fn number(&self, column: &str) -> Option<u32> {
        self.some(column).map(|text| text.parse().unwrap())
    }
}

/// One line of comma-separated values, with quotes as the CSV convention has them.
fn split(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

/// Calls `see` with every row of a golden table; returns how many there were.
pub fn rows(text: &str, mut see: impl FnMut(usize, &Row<'_>)) -> usize {
    // Doubled quotes inside a quoted field stand for one: none of our texts needs telling them from an empty quoted part.
    let mut lines = text.lines().map(|l| l.replace("\"\"", "\u{1}")).filter(|l| !l.starts_with('#') && !l.is_empty());
    let header = split(&lines.next().unwrap());
    let mut count = 0;
    for line in lines {
        let fields = split(&line).into_iter().map(|f| f.replace('\u{1}', "\"")).collect();
        count += 1;
        see(count, &Row { header: &header, fields });
    }
    count
}

/// Fails with the first few differences.
pub fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
}
