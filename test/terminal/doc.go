// Package terminal holds what programs show on a terminal to a real one: tmux, which
// is an emulator that can be asked what stands on its screen. It has no code of its
// own.
package terminal
