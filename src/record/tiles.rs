//! Tiles: the hashes of the tree on disk, in the layout of C2SP `tlog-tiles`.
//!
//! `tile/<level>/<number>` holds 256 hashes, `tile/<level>/<number>.p/<width>` the first hashes of a
//! tile that is not full at a published size. They are derived from the journal and can be made
//! again. What is read from them counts for nothing by itself: it is hashed up to a signed root.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::record::files::{Files, folder_of, write_beside};
use crate::record::merkle::{Edge, Hash};

/// Hashes in a full tile.
pub const WIDTH: usize = 256;

/// Levels of the tree that a tile spans.
const HEIGHT: u32 = 8;

/// The folder of the tiles.
const FOLDER: &str = "tile";

/// The path of a tile; `width` below [`WIDTH`] means the partial one.
pub fn path(level: u32, number: u64, width: usize) -> String {
    let path = format!("{FOLDER}/{level}/{}", number_path(number));
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

/// A number in groups of three digits, all but the last behind an `x`: `x001/x234/067`.
pub fn number_path(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// The tiles that a tree of this size has at its right end, and what has to be written of them.
#[derive(Default)]
pub struct Tiles {
    size: u64,
    /// For each level the hashes of the tile that is not full, fewer than [`WIDTH`].
    open: Vec<Vec<Hash>>,
    /// Full tiles that are not on disk yet, by level and number.
    full: Vec<(u32, u64, Vec<Hash>)>,
    /// For each level the number and width of the partial tile that is on disk.
    written: Vec<(u64, usize)>,
}

impl Tiles {
    /// Reads the unfinished tiles of a tree of this size. Whether they are right, only
    /// [`Tiles::edge`] can say, against a signed root.
    ///
    /// # Errors
    /// Those of the system, and `InvalidData` where a tile has a wrong length.
    pub fn load(files: &dyn Files, size: u64) -> io::Result<Tiles> {
        let mut tiles = Tiles { size, ..Tiles::default() };
        let mut level = 0;
        while let Some(hashes @ 1..) = size.checked_shr(HEIGHT * level) {
            let (number, width) = (hashes / WIDTH as u64, (hashes % WIDTH as u64) as usize);
            tiles.open.push(read(files, level, number, width)?);
            tiles.written.push((number, width));
            level += 1;
        }
        Ok(tiles)
    }

    /// Leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The right edge of the tree.
    pub fn edge(&self) -> Option<Edge> {
        let mut hashes = Vec::new();
        for open in self.open.iter().rev() {
            // A tile that is not full is itself made of perfect subtrees, one for each bit.
            let mut edge = Edge::default();
            open.iter().for_each(|hash| edge.push(*hash));
            hashes.extend_from_slice(edge.hashes());
        }
        Edge::from_parts(self.size, hashes)
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.open.len() == level {
                self.open.push(Vec::new());
                self.written.push((0, 0));
            }
            let Some(open) = self.open.get_mut(level) else { return };
            open.push(hash);
            if open.len() < WIDTH {
                return;
            }
            let hashes = std::mem::take(open);
            let mut edge = Edge::default();
            hashes.iter().for_each(|hash| edge.push(*hash));
            hash = edge.root();
            let level = level as u32;
            let number = self.size.checked_shr(HEIGHT * (level + 1)).unwrap_or(0);
            self.full.push((level, number.saturating_sub(1), hashes));
        }
    }

    /// The tiles that are to be there: level, number, hashes.
    pub fn pieces(&self) -> impl Iterator<Item = (u32, u64, &[Hash])> {
        let full = self.full.iter().map(|(level, number, hashes)| (*level, *number, &hashes[..]));
        let open = (0..).zip(&self.open).filter(|(_, open)| !open.is_empty());
        full.chain(open.map(|(level, open)| (level, self.number(level), &open[..])))
    }

    /// The number of the tile of a level that is not full.
    fn number(&self, level: u32) -> u64 {
        self.size.checked_shr(HEIGHT * (level + 1)).unwrap_or(0)
    }

    /// Writes what a checkpoint of this size needs, durably. Partial tiles of tiles that are now full
    /// go.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&mut self, files: &dyn Files) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for (level, number, hashes) in &self.full {
            put(files, &path(*level, *number, WIDTH), hashes, &mut folders)?;
        }
        let size = self.size;
        for (level, (open, written)) in (0..).zip(self.open.iter().zip(&mut self.written)) {
            let number = size.checked_shr(HEIGHT * (level + 1)).unwrap_or(0);
            if !open.is_empty() && *written != (number, open.len()) {
                put(files, &path(level, number, open.len()), open, &mut folders)?;
                *written = (number, open.len());
            }
        }
        for folder in &folders {
            files.sync_folder(folder)?;
        }
        for (level, number, _) in self.full.drain(..) {
            let folder = format!("{}.p", path(level, number, WIDTH));
            for name in files.list(&folder).unwrap_or_default() {
                files.remove(&format!("{folder}/{name}"))?;
            }
            match files.remove_folder(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes a tile and notes the folders whose names have to be made durable.
fn put(
    files: &dyn Files,
    path: &str,
    hashes: &[Hash],
    folders: &mut BTreeSet<String>,
) -> io::Result<()> {
    let folder = folder_of(path);
    if !folders.contains(folder) {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            if files.make_folder(folder)? {
                folders.insert(folder_of(folder).to_owned());
            }
        }
        folders.insert(folder.to_owned());
    }
    write_beside(files, path, hashes.as_flattened())
}

/// Reads the first `width` hashes of a tile: from the partial one, or from the full one where the
/// partial one has gone.
fn read(files: &dyn Files, level: u32, number: u64, width: usize) -> io::Result<Vec<Hash>> {
    if width == 0 {
        return Ok(Vec::new());
    }
    let content = match files.read(&path(level, number, width)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && width < WIDTH => {
            files.read(&path(level, number, WIDTH))
        }
        other => other,
    }?;
    let (hashes, rest) = content.as_chunks();
    match hashes.get(..width) {
        Some(hashes) if rest.is_empty() => Ok(hashes.to_vec()),
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

/// Looks up hashes of a tree of one size in the tiles on disk.
pub struct TileReader<'a> {
    files: &'a dyn Files,
    size: u64,
    read: BTreeMap<(u32, u64), Vec<Hash>>,
}

impl<'a> TileReader<'a> {
    /// A reader of the tree of this size.
    pub fn new(files: &'a dyn Files, size: u64) -> TileReader<'a> {
        TileReader { files, size, read: BTreeMap::new() }
    }

    /// The root of the perfect subtree of `2^level` leaves that is number `index` of its level.
    ///
    /// # Errors
    /// Those of the system, and `InvalidData` where a tile has a wrong length.
    pub fn subtree(&mut self, level: u32, index: u64) -> io::Result<Hash> {
        let (tile_level, within) = (level / HEIGHT, level % HEIGHT);
        let begin = index << within;
        let number = begin / WIDTH as u64;
        let present = self.size.checked_shr(HEIGHT * tile_level).unwrap_or(0);
        let width = present.saturating_sub(number * WIDTH as u64).min(WIDTH as u64) as usize;
        let hashes = match self.read.entry((tile_level, number)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(read(self.files, tile_level, number, width)?)
            }
        };
        let begin = (begin % WIDTH as u64) as usize;
        let hashes = hashes.get(begin..begin + (1 << within));
        let mut edge = Edge::default();
        hashes.ok_or(io::ErrorKind::InvalidData)?.iter().for_each(|hash| edge.push(*hash));
        Ok(edge.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_format() {
        assert_eq!(path(0, 0, WIDTH), "tile/0/000");
        assert_eq!(path(1, 1_234_067, WIDTH), "tile/1/x001/x234/067");
        assert_eq!(path(0, 1000, 70), "tile/0/x001/000.p/70");
    }
}
