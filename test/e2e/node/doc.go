// Package node proves on a real node, with containers, real traffic and isolate's own
// image, what the other suites prove on simulated pods. It needs Linux and root.
//
// The test program runs in the namespaces of the node (see test/framework/node), so it
// reaches pods and Services by their addresses. The tests share the node: those that
// restart a part of it are not parallel.
package node
