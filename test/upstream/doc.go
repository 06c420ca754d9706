// Package upstream contains only tests. They check gatehouse's output with the code of
// Flux and Helm, at the versions that the clusters run.
package upstream
