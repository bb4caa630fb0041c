// Checks a ledger with the transparency log packages of the Go project (golang.org/x/mod/sumdb),
// which share no code with sluice: signatures of checkpoints, every tile, roots, proofs that an entry
// is in the log, and that each checkpoint is the beginning of the next.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go STATE KEYS PROOFS CHECKPOINTS
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(what string, err error) {
	fmt.Println("FAILED", what, err)
	os.Exit(1)
}

func read(path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		fail(path, err)
	}
	return content
}

type checkpoint struct {
	size int64
	root tlog.Hash
}

// Opens a signed note and reads the checkpoint in it.
func open(signed []byte, keys note.Verifiers, what string) checkpoint {
	opened, err := note.Open(signed, keys)
	if err != nil {
		fail(what, err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || opened.Sigs[0].Name != lines[0] {
		fail(what, fmt.Errorf("not a checkpoint of this log"))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		fail(what, err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		fail(what, err)
	}
	return checkpoint{size, root}
}

// The path of a tile in the layout of C2SP, which is not that of the Go checksum database.
func tilePath(tile tlog.Tile) string {
	number := fmt.Sprintf("%03d", tile.N%1000)
	for rest := tile.N / 1000; rest > 0; rest /= 1000 {
		number = fmt.Sprintf("x%03d/%s", rest%1000, number)
	}
	path := fmt.Sprintf("tile/%d/%s", tile.L, number)
	if tile.W != 256 {
		path += fmt.Sprintf(".p/%d", tile.W)
	}
	return path
}

func main() {
	state, keyFile, proofs, checkpoints := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	var verifiers []note.Verifier
	for _, line := range strings.Fields(string(read(keyFile))) {
		verifier, err := note.NewVerifier(line)
		if err != nil {
			fail(line, err)
		}
		verifiers = append(verifiers, verifier)
	}
	keys := note.VerifierList(verifiers...)
	now := open(read(filepath.Join(state, "checkpoint")), keys, "checkpoint")

	// All hashes of the tree, from the hashes of the leaves alone.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	var tiles []tlog.Tile
	for _, tile := range tlog.NewTiles(8, 0, now.size) {
		// Older versions of the package list every width that a partial tile could have had.
		if tile.W == 256 || int64(tile.W) == now.size>>(8*tile.L)%256 {
			tiles = append(tiles, tile)
		}
	}
	for _, tile := range tiles {
		if tile.L != 0 {
			continue
		}
		content := read(filepath.Join(state, tilePath(tile)))
		for at := 0; at < len(content); at += tlog.HashSize {
			var leaf tlog.Hash
			copy(leaf[:], content[at:])
			number := tile.N*256 + int64(at/tlog.HashSize)
			more, err := tlog.StoredHashesForRecordHash(number, leaf, reader)
			if err != nil {
				fail("leaves", err)
			}
			stored = append(stored, more...)
		}
	}
	root, err := tlog.TreeHash(now.size, reader)
	if err != nil || root != now.root {
		fail("root", err)
	}
	for _, tile := range tiles {
		expected, err := tlog.ReadTileData(tile, reader)
		if err != nil || !bytes.Equal(expected, read(filepath.Join(state, tilePath(tile)))) {
			fail(tilePath(tile), err)
		}
	}

	found, _ := filepath.Glob(filepath.Join(proofs, "*.tlog-proof"))
	for _, path := range found {
		parts := strings.SplitN(string(read(path)), "\n\n", 2)
		lines := strings.Split(parts[0], "\n")
		if lines[0] != "c2sp.org/tlog-proof@v1" {
			fail(path, fmt.Errorf("first line"))
		}
		index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
		if err != nil {
			fail(path, err)
		}
		var proof tlog.RecordProof
		for _, line := range lines[2:] {
			decoded, err := base64.StdEncoding.DecodeString(line)
			if err != nil || len(decoded) != tlog.HashSize {
				fail(path, err)
			}
			var hash tlog.Hash
			copy(hash[:], decoded)
			proof = append(proof, hash)
		}
		signed := open([]byte(parts[1]), keys, path)
		entry := tlog.RecordHash(read(strings.TrimSuffix(path, ".tlog-proof") + ".entry"))
		if err := tlog.CheckRecord(proof, signed.size, signed.root, index, entry); err != nil {
			fail(path, err)
		}
		own, err := tlog.ProveRecord(signed.size, index, reader)
		if err != nil || fmt.Sprint(own) != fmt.Sprint(proof) {
			fail(path, fmt.Errorf("another proof: %v", err))
		}
	}

	kept, _ := filepath.Glob(filepath.Join(checkpoints, "*"))
	for _, path := range kept {
		then := open(read(path), keys, path)
		if then.size == 0 {
			continue
		}
		proof, err := tlog.ProveTree(now.size, then.size, reader)
		if err != nil {
			fail(path, err)
		}
		if err := tlog.CheckTree(proof, now.size, now.root, then.size, then.root); err != nil {
			fail(path, err)
		}
	}
	fmt.Printf("%d entries, %d tiles, %d proofs, %d checkpoints hold\n", now.size, len(tiles), len(found), len(kept))
}
