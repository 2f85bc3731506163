package watchcache

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// names is a store that keeps the names and UIDs of objects.
type names map[string]string

func (n names) Extract(object metav1.Object) string { return string(object.GetUID()) }
func (n names) Set(_, name, uid string)             { n[name] = uid }
func (n names) Delete(_, name string)               { delete(n, name) }
func (n names) Retain(kept func(namespace, name string) bool) {
	for name := range n {
		if !kept("", name) {
			delete(n, name)
		}
	}
}

// sent is a server's objects, of which it remembers whether they are still in memory.
type sent []weak.Pointer[metav1.PartialObjectMetadata]

func (s *sent) object(i int) *metav1.PartialObjectMetadata {
	name := strconv.Itoa(i)
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "name-" + name, UID: "uid-x", ResourceVersion: "1"}}
	*s = append(*s, weak.Make(object))
	return object
}

// inMemory returns how many of the objects are still in memory.
func (s *sent) inMemory() int {
	runtime.GC()
	n := 0
	for _, object := range *s {
		if object.Value() != nil {
			n++
		}
	}
	return n
}

func wanted(n int) names {
	want := names{}
	for i := range n {
		want["name-"+strconv.Itoa(i)] = "uid-x"
	}
	return want
}

func TestAListIsReadPageByPage(t *testing.T) {
	const pages, size = 3, 500
	var objects sent
	var asked []metav1.ListOptions
	list := func(_ context.Context, options metav1.ListOptions) (kruntime.Object, error) {
		page := len(asked)
		asked = append(asked, options)
		require.Zero(t, objects.inMemory(), "the objects of the pages before were released")
		list := &metav1.List{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
		for i := range size {
			list.Items = append(list.Items, kruntime.RawExtension{Object: objects.object(page*size + i)})
		}
		if page < pages-1 {
			list.Continue = "page " + strconv.Itoa(page+1)
		}
		return list, nil
	}
	stored := names{"gone": "1"}
	c := New("services", &cache.ListWatch{ListWithContextFunc: list}, &metav1.PartialObjectMetadata{}, stored)
	extracts, err := c.ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "5"})
	require.NoError(t, err)
	require.Zero(t, objects.inMemory())
	require.Equal(t, []metav1.ListOptions{{Limit: size}, {Limit: size, Continue: "page 1"}, {Limit: size, Continue: "page 2"}}, asked,
		"the current state, in pages")
	require.NoError(t, c.Replace(itemsOf(t, extracts), "7"))
	require.Equal(t, wanted(pages*size), stored)
}

func TestAListThatExpiresIsReadAsAWhole(t *testing.T) {
	list := func(_ context.Context, options metav1.ListOptions) (kruntime.Object, error) {
		page := &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
		switch {
		case options.Continue != "":
			return nil, apierrors.NewResourceExpired("the token is too old")
		case options.Limit > 0:
			page.Continue = "page 1"
		default:
			page.Items = append(page.Items, *new(sent).object(1))
		}
		page.Items = append(page.Items, *new(sent).object(0))
		return page, nil
	}
	stored := names{}
	c := New("services", &cache.ListWatch{ListWithContextFunc: list}, &metav1.PartialObjectMetadata{}, stored)
	extracts, err := c.ListWithContext(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.NoError(t, c.Replace(itemsOf(t, extracts), "7"))
	require.Equal(t, wanted(2), stored)
}

func TestAStreamedListReleasesEachObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 100
		var objects sent
		w := watch.NewFake()
		stored := names{"gone": "1"}
		c := New("services", &cache.ListWatch{
			WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) { return w, nil },
		}, &metav1.PartialObjectMetadata{}, stored)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx)
		}()
		for i := range count {
			w.Add(objects.object(i))
		}
		synctest.Wait()
		require.LessOrEqual(t, objects.inMemory(), 1, "the last one may still be on a stack")
		require.Error(t, c.Err(), "the list has not ended")
		end := &metav1.PartialObjectMetadata{}
		end.SetResourceVersion("7")
		end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
		w.Action(watch.Bookmark, end)
		require.NoError(t, c.Wait(t.Context()))
		require.Equal(t, wanted(count), stored)
		cancel()
		<-ended
	})
}

func itemsOf(t *testing.T, list kruntime.Object) []any {
	t.Helper()
	var items []any
	require.NoError(t, meta.EachListItem(list, func(item kruntime.Object) error {
		items = append(items, item)
		return nil
	}))
	return items
}
