//! Payloads that are no text, by their first bytes or by their control bytes.

/// Kinds by bytes at a fixed offset. The first entry that fits decides.
const MAGIC: &[(usize, &[u8], &str)] = &[
    // Archives and compression.
    (0, b"PK\x03\x04", "zip archive"),
    (0, b"PK\x05\x06", "zip archive"),
    (0, b"PK\x07\x08", "zip archive"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (0, b"\x1f\x9d", "compress"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"LZIP\x01", "lzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (0, b"Rar!\x1a\x07", "rar archive"),
    (0, b"MSCF\0\0\0\0", "cab archive"),
    (0, b"!<arch>\n", "ar archive"),
    (0, b"\xed\xab\xee\xdb", "rpm package"),
    (257, b"ustar\0", "tar archive"),
    (257, b"ustar  \0", "tar archive"),
    (0, b"PACK\0\0\0", "git pack"),
    (0, b"DIRC\0\0\0", "git index"),
    // Documents and data stores.
    (0, b"%PDF-", "PDF document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE2 document"),
    (0, b"SQLite format 3\0", "SQLite database"),
    (0, b"\0\x01\0\0Standard Jet DB", "Access database"),
    (0, b"\0\x01\0\0Standard ACE DB", "Access database"),
    (0, b"PAR1\x15", "Parquet file"),
    (0, b"ARROW1\0\0", "Arrow file"),
    (0, b"FEA1\0", "Feather file"),
    (0, b"Obj\x01", "Avro file"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"$FL2@(#)", "SPSS file"),
    (12, b"\xc2\xea\x81\x60\xb3\x14\x11\xcf", "SAS file"),
    (0, b"!BDN", "Outlook mailbox"),
    (0, b"bplist0", "property list"),
    (0, b"ElfFile\0", "Windows event log"),
    (0, b"LPKSHHRH", "systemd journal"),
    (0, b"ITSF\x03", "compiled help"),
    (0, b"AT&TFORM", "DjVu document"),
    // Images.
    (0, b"\x89PNG\r\n\x1a\n", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF87a", "GIF image"),
    (0, b"GIF89a", "GIF image"),
    (0, b"II*\0", "TIFF image"),
    (0, b"MM\0*", "TIFF image"),
    (0, b"II+\0", "TIFF image"),
    (0, b"MM\0+", "TIFF image"),
    (0, b"8BPS\0\x01", "Photoshop image"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 image"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL image"),
    (128, b"DICM", "DICOM image"),
    // Sound, video, fonts.
    (0, b"OggS\0", "Ogg media"),
    (0, b"fLaC\0", "FLAC audio"),
    (0, b"MThd\0\0\0\x06", "MIDI file"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska video"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"wOFF\0", "font"),
    (0, b"wOFF\x01", "font"),
    (0, b"wOFFOTTO", "font"),
    (0, b"wOF2", "font"),
    (0, b"OTTO\0", "font"),
    (0, b"ttcf\0", "font"),
    (0, b"\0\x01\0\0\0", "font"),
    // Programs.
    (0, b"\x7fELF", "ELF program"),
    (0, b"\xfe\xed\xfa\xce", "Mach-O program"),
    (0, b"\xfe\xed\xfa\xcf", "Mach-O program"),
    (0, b"\xce\xfa\xed\xfe", "Mach-O program"),
    (0, b"\xcf\xfa\xed\xfe", "Mach-O program"),
    (0, b"\0asm", "WebAssembly"),
    (0, b"dex\n0", "Android program"),
    // Captures and disk images.
    (0, b"\xd4\xc3\xb2\xa1", "packet capture"),
    (0, b"\xa1\xb2\xc3\xd4", "packet capture"),
    (0, b"\x4d\x3c\xb2\xa1", "packet capture"),
    (0, b"\xa1\xb2\x3c\x4d", "packet capture"),
    (0, b"\n\r\r\n", "packet capture"),
    (0, b"QFI\xfb", "disk image"),
    (0, b"KDMV\x01", "disk image"),
    (0, b"vhdxfile", "disk image"),
    // Encrypted.
    (0, b"Salted__", "encrypted data"),
    (0, b"age-encryption.org/v1", "age encrypted"),
    (0, b"LUKS\xba\xbe", "encrypted disk"),
    (0, b"\0GITCRYPT\0", "encrypted data"),
    (0, b"\x03\xd9\xa2\x9a", "password database"),
    (0, b"\xfe\xed\xfe\xed\0\0\0", "Java keystore"),
];

/// By byte: whether a kind is known by it as the first one.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
const BEGINS: [bool; 256] = {
    let mut begins = [false; 256];
    let mut entry = 0;
    while entry < MAGIC.len() {
        let (offset, bytes, _) = MAGIC[entry];
        begins[bytes[0] as usize] |= offset == 0;
        entry += 1;
    }
    begins
};

/// How many entries are known by bytes farther on.
const FARTHER: usize = {
    let (mut count, mut rest) = (0, MAGIC);
    while let [(offset, ..), behind @ ..] = rest {
        count += (*offset > 0) as usize;
        rest = behind;
    }
    count
};

/// These entries of [`MAGIC`], in their order.
#[expect(clippy::indexing_slicing, reason = "evaluated when the program is built")]
static FAR_MAGIC: [(usize, &[u8], &str); FARTHER] = {
    let (mut far, mut count, mut rest) = ([MAGIC[0]; FARTHER], 0, MAGIC);
    while let [entry, behind @ ..] = rest {
        if entry.0 > 0 {
            far[count] = *entry;
            count += 1;
        }
        rest = behind;
    }
    far
};

/// First lines of encrypted text.
const ARMOUR: &[(&[u8], &str)] = &[
    (b"-----BEGIN PGP MESSAGE-----", "PGP encrypted"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age encrypted"),
    (b"age-encryption.org/v1", "age encrypted"),
    (b"-----BEGIN PKCS7-----", "CMS message"),
    (b"-----BEGIN CMS-----", "CMS message"),
    (b"$ANSIBLE_VAULT;", "encrypted data"),
    (b"U2FsdGVkX1", "encrypted data"),
];

/// The kind of a payload that begins with these bytes, if they show that it is no text.
pub(super) fn by_first_bytes(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, bytes: &[u8]| head.get(offset..).is_some_and(|h| h.starts_with(bytes));
    // Most text begins with a byte that none of those begins with.
    let may_begin =
        head.first().is_some_and(|first| BEGINS.get(usize::from(*first)) == Some(&true));
    let entries = if may_begin { MAGIC } else { &FAR_MAGIC };
    let listed = entries.iter().find(|(offset, bytes, _)| at(*offset, bytes));
    let listed = listed.map(|(_, _, kind)| *kind);
    match (listed, head) {
        (Some("zip archive"), _) => Some(zip_kind(head)),
        (Some("packet capture"), [b'\n', ..]) => {
            (at(8, b"\x4d\x3c\x2b\x1a") || at(8, b"\x1a\x2b\x3c\x4d")).then_some("packet capture")
        }
        (Some(kind), _) => Some(kind),
        (None, [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]) => {
            let block =
                rest.starts_with(b"1AY&SY") || rest.starts_with(b"\x17\x72\x45\x38\x50\x90");
            block.then_some("bzip2")
        }
        (None, [0x50..=0x5f, b'*', b'M', 0x18, ..]) => Some("zstd"),
        (None, [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..]) => match form {
            [b'W', b'E', b'B', b'P', ..] => Some("WebP image"),
            [b'W', b'A', b'V', b'E', ..] => Some("WAV audio"),
            [b'A', b'V', b'I', b' ', ..] => Some("AVI video"),
            _ => None,
        },
        (None, [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]) => match brand {
            [b'h', b'e', b'i' | b'v', _, ..] | [b'm', b'i' | b's', b'f', b'1', ..] => {
                Some("HEIF image")
            }
            [b'a', b'v', b'i', b'f' | b's', ..] => Some("AVIF image"),
            [b'M', b'4', b'A', ..] => Some("MP4 audio"),
            _ => head.first().is_some_and(|byte| *byte == 0).then_some("MP4 video"),
        },
        (None, [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, 0, 0, _, 0, 0, 0, ..]) => {
            Some("BMP image")
        }
        (None, [0, 0, 1 | 2, 0, count, 0, ..]) if *count > 0 => Some("icon"),
        // A class file's major version has been 45 or more ever since; a universal program holds
        // fewer architectures than that.
        (None, [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, architectures, ..]) if *architectures < 45 => {
            Some("Mach-O program")
        }
        (None, [0xca, 0xfe, 0xba, 0xbe, _, _, 0, _, ..]) => Some("Java class"),
        (None, [b'M', b'Z', rest @ ..]) => {
            rest.iter().take(62).any(|byte| *byte == 0).then_some("Windows program")
        }
        (None, [b'O', b'R', b'C', 0..=0x1f, ..]) => Some("ORC file"),
        (None, [b'I', b'D', b'3', 2..=4, ..]) => Some("MP3 audio"),
        (None, [0xff, sync, rates, ..]) => {
            let layer_three = sync & 0xe6 == 0xe2;
            let rates_exist = !matches!(rates >> 4, 0 | 15) && rates >> 2 & 3 != 3;
            (layer_three && rates_exist).then_some("MP3 audio")
        }
        (None, [b'0', b'7', b'0', b'7', b'0', b'1' | b'2', rest @ ..]) => {
            let header = rest.get(..104)?;
            header.iter().all(u8::is_ascii_hexdigit).then_some("cpio archive")
        }
        (None, _) => openpgp_kind(head),
    }
}

/// The kind of a text that begins with the armour of encrypted data, white space before it aside.
pub(super) fn by_armour(text: &[u8]) -> Option<&'static str> {
    let text = text.trim_ascii_start();
    ARMOUR.iter().find(|(line, _)| text.starts_with(line)).map(|(_, kind)| *kind)
}

/// Whether there are more control bytes than text has: more than one in twenty, or one in a hundred
/// beside one in eight that is not UTF-8. White space, backspace and escape are not counted, nor
/// are the separators that exports use (01, 1C to 1F).
pub(super) fn is_binary(head: &[u8]) -> bool {
    /// Bytes of which a sum of single bytes cannot overflow; many at a time, without a rest.
    const PART: usize = 128;
    // Without a branch, for the same reason.
    let control = |byte: &u8| {
        let is_in = |first: u8, last: u8| byte.wrapping_sub(first) <= last - first;
        let is_text = is_in(0x01, 0x01) | is_in(0x08, 0x0d) | is_in(0x1b, 0x1f);
        u8::from((is_in(0, 0x1f) | is_in(0x7f, 0x7f)) & !is_text)
    };
    // A cheap count of no fewer bytes settles nearly all text.
    let low = |byte: &u8| {
        let is_line = (*byte == b'\n') | (*byte == b'\r') | (*byte == b'\t');
        u8::from((*byte < 0x20) & !is_line | (*byte == 0x7f))
    };
    let low_in = |part: &[u8]| usize::from(part.iter().map(low).fold(0, u8::wrapping_add));
    if head.chunks(PART).map(low_in).sum::<usize>() * 100 <= head.len() {
        return false;
    }
    let control_in = |part: &[u8]| usize::from(part.iter().map(control).fold(0, u8::wrapping_add));
    let controls = head.chunks(PART).map(control_in).sum::<usize>();
    let broken = || -> usize { head.utf8_chunks().map(|chunk| chunk.invalid().len()).sum() };
    controls * 20 > head.len() || (controls * 100 > head.len() && broken() * 8 > head.len())
}

/// Office documents and books are zip archives that say what they are in their first entry.
fn zip_kind(head: &[u8]) -> &'static str {
    let name = head.get(30..).unwrap_or_default();
    if name.starts_with(b"mimetypeapplication/vnd.oasis.opendocument") {
        "OpenDocument"
    } else if name.starts_with(b"mimetypeapplication/epub+zip") {
        "EPUB book"
    } else if name.starts_with(b"[Content_Types].xml") || name.starts_with(b"_rels/.rels") {
        "Office document"
    } else {
        "zip archive"
    }
}

/// A message encrypted to a key or with a passphrase begins with a session key packet (RFC 9580,
/// section 5.1 and 5.3): tag 1 or 3, a length, a version.
fn openpgp_kind(head: &[u8]) -> Option<&'static str> {
    let (tag, body) = match head {
        [0x84, _, body @ ..] | [0x85, _, _, body @ ..] => (1, body),
        [0x8c, _, body @ ..] | [0x8d, _, _, body @ ..] => (3, body),
        [first @ (0xc1 | 0xc3), 0..=191, body @ ..]
        | [first @ (0xc1 | 0xc3), 192..=223, _, body @ ..] => (first & 0x3f, body),
        _ => return None,
    };
    match (tag, body.first()) {
        (1, Some(3 | 6)) | (3, Some(4..=6)) => Some("PGP encrypted"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sniff;

    #[test]
    fn kinds_by_first_bytes() {
        let cases: &[(&[u8], &str)] = &[
            (b"PK\x03\x04\x14\0\0\0\x08\0", "zip archive"),
            (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0[Content_Types].xml",
             "Office document"),
            (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
            (b"BZh91AY&SY\x01\x02", "bzip2"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG image"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP image"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF image"),
            (b"\0\0\0\x18ftypisom\0\0\0\0", "MP4 video"),
            (b"\xca\xfe\xba\xbe\0\0\0\x3d\0\x10", "Java class"),
            (b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0", "Mach-O program"),
            (b"\xff\xfb\x90\x64\0\0", "MP3 audio"),
            (b"\x85\x02\x0c\x03\xaa\xbb", "PGP encrypted"),
            (b"\x8c\x0d\x04\x09\x03\x02", "PGP encrypted"),
            (b"%PDF-1.7\n", "PDF document"),
            (b"-----BEGIN PGP MESSAGE-----\n\nhQIM", "PGP encrypted"),
            (b"\n age-encryption.org/v1\n-> X25519", "age encrypted"),
            (b"\x02\x03\x04\x05\x06\x07", "binary"),
        ];
        for (head, kind) in cases {
            assert_eq!(sniff(head).opaque, Some(*kind), "{}", head.escape_ascii());
        }
        let mut tar = vec![b'a'; 512];
        tar[257..263].copy_from_slice(b"ustar\0");
        assert_eq!(sniff(&tar).opaque, Some("tar archive"));
    }

    #[test]
    fn text_that_begins_alike_stays_text() {
        let cases: [&[u8]; 12] = [
            b"PK is a postcode area\n",
            b"MZ was his nickname\n",
            b"BM stands for bowel movement in the notes\n",
            b"BZh9 is a label\n",
            b"RIFF of the day\n",
            b"\xc3\xa9t\xc3\xa9 2024, un patient\n",
            b"070701 was the number of the order\n",
            b"\n\r\r\nodd line ends\n",
            b"Obj one, Obj two\n",
            b"col1\x01col2\x01col3\nx\x01y\x01z\n",
            b"\x1b[31mERROR\x1b[0m something failed\n",
            b"caf\xe9 cr\xe8me \xe0 No\xebl\n",
        ];
        for head in cases {
            assert_eq!(sniff(head).opaque, None, "{}", head.escape_ascii());
        }
    }
}
