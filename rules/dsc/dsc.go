// Package dsc holds the rules on the raw form of what a model reads: the tool
// descriptions, schemas, instructions, prompts and resources of servers, their
// saved messages, and the documents that agents load. What the words make a
// model do is judged by package judge.
package dsc
