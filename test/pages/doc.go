// Package pages opens the pages of the tool, mops page and mops serve, in Chromium.
// This file's neighbour makes up runs for that.
package pages
