// Package source reads the YAML that people write, and changes it. It knows
// nothing of profiles: package generator/profile gives it the types.
//
// # Reading
//
// [Parse] splits a file into documents, [Merge] lays one over another, and
// [Decode] fills a struct from one, strictly. All problems are found in one run,
// each with its place. A document that is not YAML hides no other.
//
// [Positions] say where each field was written: [Positions.Lookup] reports
// whether it was, with the [Range] of its key and its value; [Positions.At] also
// answers for a field that was not.
//
// # Editing
//
// [Set] and [Remove] change one value of a file and keep every other byte:
// comments, blank lines, indentation, quotes, line breaks, a byte order mark, the
// last line break or its absence, and the other documents. They replace bytes at
// the positions of the nodes; nothing is encoded again but the new value.
//
// Before an edit returns, the result is read again and compared: the documents
// must be the ones of before, with this one value changed. If they are not, or if
// the place means more than it shows (an anchor, an alias, a merge key, a tag, a
// key that is set twice), the edit is an error and returns no bytes. So the worst
// case is an edit that is refused, never a damaged file.
package source
