// Package charts renders and pulls Helm charts, with the libraries that Flux uses.
//
// # What a template may do
//
// Templates are code of others. They see the files of their chart and nothing else: no disk, no environment, no network,
// no cluster. `lookup` finds nothing, and getHostByName returns nothing. The schema of values is not checked, because it
// may refer to the network. Helm cannot be stopped, so what needs more memory than [MaxMemory] ends the process, and who
// asks has to end what needs too much time: a chart is rendered in a process of its own (judge/engine).
package charts
