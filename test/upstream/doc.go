// Package upstream holds tests only: they ask the code of Flux and Helm, at the
// versions that the clusters run, what it makes of gatehouse's output.
package upstream
