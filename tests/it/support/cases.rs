//! Tables of cases in the docs of a file, held against the tests that say which cases they are.
//!
//! A row is `//! | 7 | K | … |`; a test of it has a doc comment that begins with `Case 7` or `Cases 7 and 9 to 11`.

/// A row of a table.
pub(crate) struct Case {
    pub(crate) number: usize,
    pub(crate) kind: &'static str,
    pub(crate) text: &'static str,
}

impl Case {
    /// The tests that the row names.
    pub(crate) fn named(&self) -> Vec<&'static str> {
        self.text.split('`').skip(1).step_by(2).collect()
    }
}

/// The rows of a file's table.
pub(crate) fn table(file: &'static str) -> Vec<Case> {
    let rows = file.lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let case = |row: &'static str| {
        let mut cells = row.splitn(3, " | ");
        let number = cells.next()?.parse().ok()?;
        Some(Case { number, kind: cells.next()?, text: cells.next()? })
    };
    rows.filter_map(case).collect()
}

/// That the tests which the table names are those of these sources that name its cases.
pub(crate) fn assert_named(table: &[Case], sources: &[&'static str]) {
    let pairs = |pairs: &mut dyn Iterator<Item = (usize, &'static str)>| {
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable();
        pairs
    };
    let mut told = table.iter().flat_map(|case| {
        let number = case.number;
        case.named().into_iter().map(move |name| (number, name))
    });
    let mut made =
        tests(sources).flat_map(|(numbers, name)| numbers.into_iter().map(move |n| (n, name)));
    assert_eq!(pairs(&mut told), pairs(&mut made));
}

/// The cases and names of all tests that have cases.
fn tests(sources: &[&'static str]) -> impl Iterator<Item = (Vec<usize>, &'static str)> {
    let blocks = sources.iter().flat_map(|source| source.split("\n\n"));
    blocks.filter_map(|block| {
        let name = block.split_once("test]\n")?.1.split_once("fn ")?.1.split_once('(')?.0;
        let doc = block.lines().find_map(|line| line.strip_prefix("/// Case"))?;
        Some((numbers(doc), name))
    })
}

/// `s 30 to 33 and, without its endpoint, 53.`
fn numbers(doc: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> = Vec::new();
    let mut range = false;
    for word in doc.split([' ', ',', '.', ':']) {
        match word.parse() {
            Ok(last) if range => numbers.extend(numbers.last().expect("a first") + 1..=last),
            Ok(number) => numbers.push(number),
            Err(_) => {}
        }
        range = word == "to";
    }
    numbers
}
