package selectors

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pruning drops what no decision needs from protobuf before it is decoded: managed fields, and
// the pod templates of workloads. They are most of an object, and would be most of what is
// allocated at the start.
type pruning struct{ runtime.NegotiatedSerializer }

// SupportedMediaTypes implements [runtime.NegotiatedSerializer].
func (p pruning) SupportedMediaTypes() []runtime.SerializerInfo {
	infos := slices.Clone(p.NegotiatedSerializer.SupportedMediaTypes())
	for i := range infos {
		if infos[i].MediaType == runtime.ContentTypeProtobuf {
			infos[i].Serializer = pruner{infos[i].Serializer}
		}
	}
	return infos
}

type pruner struct{ runtime.Serializer }

// Decode implements [runtime.Decoder]. What can't be pruned is decoded as it is.
func (p pruner) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if pruned, ok := prune(data); ok {
		data = pruned
	}
	return p.Serializer.Decode(data, defaults, into)
}

// dropped are fields of a protobuf message by their number: nil for one to drop, and otherwise
// the fields of the message in it.
type dropped map[protowire.Number]dropped

// prunedKinds has what is dropped from the objects and lists of each kind. The numbers are
// those of the generated.proto of each group in k8s.io/api; those never change.
var prunedKinds = func() map[string]dropped {
	kinds := map[string]dropped{}
	for kind, template := range map[string]protowire.Number{
		"ReplicationController": 3, "ReplicaSet": 3, "StatefulSet": 3, "DaemonSet": 2, "Job": 6,
		"Service": 0, "PodDisruptionBudget": 0, "NetworkPolicy": 0, "EndpointSlice": 0,
	} {
		object := dropped{1: {17: nil}} // metadata.managedFields
		if template != 0 {
			object[2] = dropped{template: nil} // spec.template
		}
		kinds[kind], kinds[kind+"List"] = object, dropped{2: object} // items
	}
	return kinds
}()

// envelope begins every object: see the package serializer/protobuf of k8s.io/apimachinery. A
// message with the kind and the object follows, [runtime.Unknown].
var envelope = []byte("k8s\x00")

// Numbers of the fields in the envelope's message, and in its typeMeta.
const (
	typeMetaField = 1
	rawField      = 2
	kindField     = 2
)

// prune returns an object in its envelope without what its kind does not need. ok is false if
// the kind is unknown or the data is malformed.
func prune(data []byte) (pruned []byte, ok bool) {
	message, ok := bytes.CutPrefix(data, envelope)
	if !ok {
		return nil, false
	}
	what, ok := prunedKinds[string(find(find(message, typeMetaField), kindField))]
	if !ok {
		return nil, false
	}
	return drop(slices.Clone(envelope), message, dropped{rawField: what})
}

// find returns the value of a field with a string or message, nil if there is none.
func find(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		found, value, size := consume(message)
		if size < 0 {
			return nil
		}
		if found == number {
			return value
		}
		message = message[size:]
	}
	return nil
}

// drop appends a message to another, without some fields. ok is false if it is malformed.
func drop(to, message []byte, what dropped) (_ []byte, ok bool) {
	for len(message) > 0 {
		number, value, size := consume(message)
		if size < 0 {
			return nil, false
		}
		inner, named := what[number]
		switch {
		case !named || value == nil:
			to = append(to, message[:size]...)
		case inner != nil:
			rest, ok := drop(nil, value, inner)
			if !ok {
				return nil, false
			}
			to = protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), rest)
		}
		message = message[size:]
	}
	return to, true
}

// consume returns the number of the first field, its value if that is a string or message, and
// the size of both, negative if the field is malformed.
func consume(message []byte) (number protowire.Number, value []byte, size int) {
	number, kind, tag := protowire.ConsumeTag(message)
	if tag < 0 {
		return 0, nil, tag
	}
	if kind != protowire.BytesType {
		size = protowire.ConsumeFieldValue(number, kind, message[tag:])
	} else {
		value, size = protowire.ConsumeBytes(message[tag:])
	}
	if size < 0 {
		return 0, nil, size
	}
	return number, value, tag + size
}
