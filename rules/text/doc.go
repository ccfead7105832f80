// Package text is the lower half of the text judge: it lays a string that a
// model may read out in every form in which the model may understand it, finds
// many patterns in one pass, and cuts text into clauses. It judges nothing.
//
//   - Views gives the raw text with what is hidden in it, the normalised text,
//     the text that invisible characters spell, and the text with encodings
//     taken off, each with a Map back to raw byte offsets.
//   - Automaton finds a set of literals in a view in one pass.
//   - Clauses cuts a view into sentences and parts of sentences.
//
// All of it is linear in the length of the text, bounded by Limits and free of
// I/O. Nothing in it keeps state between calls; an Automaton is immutable.
//
// Patterns that are to be found in normalised views have to be written as the
// normaliser writes: Fold does that.
package text
