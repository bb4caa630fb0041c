//! Random histories: the gate finds a planted number if and only if an added line holds it.
//!
//! Every line of every file is written once, so that a model can tell which lines a commit adds: those
//! that were neither under the path before, nor, for a new path, in the file that has moved there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::repository::{Repository, ran_with};

/// Cases, unless `PROPTEST_CASES` says how many.
const CASES: u32 = 24;

/// Lines of a new file: so many that the edits of one commit leave more than half.
const LINES: usize = 24;

type Tree = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug)]
enum Edit {
    Add(usize),
    Insert(usize, usize, bool),
    Remove(usize, usize),
    Delete(usize),
    Rename(usize, usize),
}

#[derive(Clone, Debug)]
enum Step {
    /// A commit on the last one, or on an earlier one.
    Commit(usize, Vec<Edit>),
    /// A merge of the last commit with another: which side each file is taken from, and more edits.
    Merge(usize, u8, Vec<Edit>),
}

#[derive(Clone, Debug)]
struct Commit {
    parents: Vec<usize>,
    tree: Tree,
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = || any::<prop::sample::Index>().prop_map(|it| it.index(1_000));
    prop_oneof![
        2 => index().prop_map(Edit::Add),
        5 => (index(), index(), any::<bool>()).prop_map(|(a, b, c)| Edit::Insert(a, b, c)),
        2 => (index(), index()).prop_map(|(a, b)| Edit::Remove(a, b)),
        1 => index().prop_map(Edit::Delete),
        3 => (index(), index()).prop_map(|(a, b)| Edit::Rename(a, b)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let edits = || prop::collection::vec(edit(), 0..5);
    prop_oneof![
        3 => edits().prop_map(|edits| Step::Commit(0, edits)),
        1 => (0_usize..4, edits()).prop_map(|(back, edits)| Step::Commit(back, edits)),
        1 => (1_usize..4, any::<u8>(), edits()).prop_map(|(a, b, c)| Step::Merge(a, b, c)),
    ]
}

/// Makes lines that were never there.
#[derive(Default)]
struct Pen(u32);

impl Pen {
    fn line(&mut self, planted: bool) -> String {
        self.0 += 1;
        let number = self.0;
        if planted {
            return format!("ssn: {}-{}-{}", 501 + number / 80, 11 + number % 80, 1_234 + number);
        }
        let letters: String =
            number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        format!("a line of {letters} words")
    }

    fn apply(&mut self, tree: &mut Tree, edits: &[Edit]) {
        for edit in edits {
            let paths: Vec<String> = tree.keys().cloned().collect();
            let one = |which: usize| paths.get(which % paths.len().max(1)).cloned();
            let new = |which: usize| format!("{}/f{}", ["a", "b", "a/c"][which % 3], which % 5);
            match *edit {
                Edit::Add(which) => {
                    let lines = (0..LINES).map(|at| self.line(at == which % LINES)).collect();
                    tree.entry(new(which)).or_insert(lines);
                }
                Edit::Insert(which, at, planted) => {
                    let line = self.line(planted);
                    if let Some(lines) = one(which).and_then(|path| tree.get_mut(&path)) {
                        lines.insert(at % (lines.len() + 1), line);
                    }
                }
                Edit::Remove(which, at) => {
                    if let Some(lines) = one(which).and_then(|path| tree.get_mut(&path))
                        && lines.len() > LINES
                    {
                        lines.remove(at % lines.len());
                    }
                }
                Edit::Delete(which) => {
                    one(which).and_then(|path| tree.remove(&path));
                }
                Edit::Rename(which, to) => {
                    if let Some(lines) = one(which).and_then(|path| tree.remove(&path)) {
                        tree.insert(new(to), lines);
                    }
                }
            }
        }
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The places of planted lines that `after` adds to `before`.
fn added(before: &Tree, after: &Tree) -> BTreeSet<(String, u64)> {
    let gone: Vec<&Vec<String>> =
        before.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, it)| it).collect();
    let mut places = BTreeSet::new();
    for (path, lines) in after {
        let shared = |other: &[String]| -> usize {
            other.iter().filter(|it| lines.contains(it)).map(|it| it.len() + 1).sum()
        };
        let moved = || {
            let best = gone.iter().max_by_key(|it| shared(it)).copied()?;
            let larger = text(best).len().max(text(lines).len());
            (shared(best) * 2 >= larger).then_some(best)
        };
        let known = before.get(path).or_else(moved);
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with("ssn") && !known.is_some_and(|known| known.contains(line)) {
                places.insert((path.clone(), at as u64 + 1));
            }
        }
    }
    places
}

/// What a commit adds to each of its parents.
fn of_commit(commits: &[Commit], at: usize) -> BTreeSet<(String, u64)> {
    let commit = &commits[at];
    let each = commit.parents.iter().map(|it| added(&commits[*it].tree, &commit.tree));
    each.reduce(|one, other| &one & &other).unwrap_or_else(|| added(&Tree::new(), &commit.tree))
}

fn reachable(commits: &[Commit], from: usize) -> BTreeSet<usize> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(at) = next.pop() {
        if seen.insert(at) {
            next.extend(&commits[at].parents);
        }
    }
    seen
}

fn history(steps: &[Step], pen: &mut Pen) -> Vec<Commit> {
    let mut tree = Tree::new();
    pen.apply(&mut tree, &[Edit::Add(1), Edit::Add(5), Edit::Add(9)]);
    let mut commits = vec![Commit { parents: Vec::new(), tree }];
    for step in steps {
        let last = commits.len() - 1;
        let commit = match step {
            Step::Commit(back, edits) => {
                let parent = last.saturating_sub(*back);
                let mut tree = commits[parent].tree.clone();
                pen.apply(&mut tree, edits);
                Commit { parents: vec![parent], tree }
            }
            Step::Merge(back, sides, edits) => {
                let other = last.saturating_sub(*back);
                let (ours, theirs) = (&commits[last].tree, &commits[other].tree);
                let mut tree = Tree::new();
                let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
                for (at, path) in paths.into_iter().enumerate() {
                    let side = if sides >> (at % 8) & 1 == 0 { ours } else { theirs };
                    tree.extend(side.get(path).map(|lines| (path.clone(), lines.clone())));
                }
                pen.apply(&mut tree, edits);
                let parents = if other == last { vec![last] } else { vec![last, other] };
                Commit { parents, tree }
            }
        };
        commits.push(commit);
    }
    commits
}

/// Writes the history and gives the ids of its commits.
fn write(repository: &Repository, commits: &[Commit]) -> Vec<String> {
    let mut stream = String::new();
    for (at, commit) in commits.iter().enumerate() {
        // Several commits of one second, as rebasing makes them.
        stream += &format!(
            "commit refs/heads/c{at}\nmark :{}\ncommitter A <a@example.com> {} +0000\ndata 1\nm\n",
            at + 1,
            1_700_000_000 + at / 3
        );
        for (place, parent) in commit.parents.iter().enumerate() {
            stream += &format!("{} :{}\n", if place == 0 { "from" } else { "merge" }, parent + 1);
        }
        stream += "deleteall\n";
        for (path, lines) in &commit.tree {
            let text = text(lines);
            stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        }
    }
    let marks = repository.aside("marks");
    let mut import = repository.command("git");
    import.args(["fast-import", "--quiet"]).arg(format!("--export-marks={}", marks.display()));
    let ran = ran_with(&mut import, stream.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = fs::read_to_string(marks).unwrap();
    let mut ids = vec![String::new(); commits.len()];
    for line in text.lines() {
        let (mark, id) = line.split_once(' ').unwrap();
        ids[mark[1..].parse::<usize>().unwrap() - 1] = id.to_owned();
    }
    ids
}

fn found(repository: &Repository, arguments: &[&str]) -> BTreeSet<(String, String, u64)> {
    let found = repository.found(arguments).into_iter();
    found.map(|it| (it.commit.unwrap_or_default(), it.path, it.line)).collect()
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(CASES)
}

proptest! {
    #![proptest_config(Config { cases: cases(), max_shrink_iters: 200, ..Config::default() })]

    #[test]
    fn a_number_is_found_if_and_only_if_an_added_line_holds_it(
        steps in prop::collection::vec(step(), 1..12),
        staged in prop::collection::vec(edit(), 0..6),
        dirty in prop::collection::vec(edit(), 0..6),
        ends in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let mut pen = Pen::default();
        let commits = history(&steps, &mut pen);
        let repository = Repository::new();
        let ids = write(&repository, &commits);
        let of = |all: &BTreeSet<usize>| -> BTreeSet<(String, String, u64)> {
            let places = all.iter().flat_map(|at| {
                of_commit(&commits, *at).into_iter().map(|(path, line)| (ids[*at].clone(), path, line))
            });
            places.collect()
        };
        prop_assert_eq!(found(&repository, &["--all-history"]), of(&(0..commits.len()).collect()));

        let (from, to) = (ends.0.index(commits.len()), ends.1.index(commits.len()));
        let range = &reachable(&commits, to) - &reachable(&commits, from);
        let named = format!("{}..{}", ids[from], ids[to]);
        prop_assert_eq!(found(&repository, &["--range", &named]), of(&range));

        // What is staged, with a working tree that is other than it.
        repository.git(&["checkout", "-q", "--detach", &ids[to]]);
        let head = &commits[to].tree;
        let mut index = head.clone();
        pen.apply(&mut index, &staged);
        let mut working = index.clone();
        pen.apply(&mut working, &dirty);
        for (tree, is_staged) in [(&index, true), (&working, false)] {
            for entry in fs::read_dir(repository.root()).unwrap() {
                let path = entry.unwrap().path();
                if !path.ends_with(".git") {
                    fs::remove_dir_all(path).unwrap();
                }
            }
            for (path, lines) in tree {
                repository.write(path, text(lines));
            }
            if is_staged {
                repository.git(&["add", "-A"]);
            }
        }
        let places: BTreeSet<(String, u64)> = repository.places(&[]).into_iter().collect();
        prop_assert_eq!(places, added(head, &index));
    }
}
