// Package pages opens the pages of the tool, mops page and mops serve, in Chromium, and
// makes up runs of programs for that. Where there is no Chromium, it installs Debian's.
// chromedp drives the browser. It speaks to the one that is installed, where rod would
// download its own, and brings no binary and no server along. With MOPS_TEST_PICTURES
// set to a folder, each test that fails leaves a picture of its page there.
package pages
