// Package sallyport is the root of the module. The program is cmd/sallyport;
// the tests here hold the walls between its packages.
package sallyport
