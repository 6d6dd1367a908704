// Package doctest holds README.md and the pages in docs to what they say: every
// command in them is run and its output compared, every program is built, every
// fragment is compared with the example that it was taken from, links lead
// somewhere, and names exist. It has no code of its own, only tests.
//
// The pages follow these rules:
//
//   - In a console block a line that begins with "$ " is a command. What follows
//     is what it prints, where … stands for anything; nothing there means that it
//     does not matter. A command must succeed, unless what it prints says
//     "exit status N", as go run does. All blocks of a page are one session in a
//     fresh folder.
//   - A block of Go or TOML whose first line is a comment with a path is a file,
//     written before the next block of the page.
//   - Any other block of Go is a fragment and says, behind the word go, which
//     example or file it was taken from. A line with nothing but … leaves
//     something out.
//   - Blocks of text are pictures.
package doctest
