package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// etcd reads and writes what the API server stores, through etcd's JSON gateway.
type etcd struct{ url string }

// stored is an object in the encoding of the API server.
type stored struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// get returns the object with that key.
func (e etcd) get(ctx context.Context, key string) (stored, error) {
	var response struct {
		Found []stored `json:"kvs"`
	}
	if err := e.post(ctx, "range", map[string]any{"key": []byte(key)}, &response); err != nil {
		return stored{}, err
	}
	if len(response.Found) != 1 {
		return stored{}, fmt.Errorf("etcd has no %s", key)
	}
	return response.Found[0], nil
}

// put writes objects in one transaction, at most 128.
func (e etcd) put(ctx context.Context, objects []stored) error {
	operations := make([]map[string]stored, len(objects))
	for i, object := range objects {
		operations[i] = map[string]stored{"requestPut": object}
	}
	var response struct {
		Succeeded bool `json:"succeeded"`
	}
	err := e.post(ctx, "txn", map[string]any{"success": operations}, &response)
	if err == nil && !response.Succeeded {
		err = fmt.Errorf("etcd did not write %s", objects[0].Key)
	}
	return err
}

func (e etcd) post(ctx context.Context, method string, request, response any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/v3/kv/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answered %s to %s", answer.Status, method)
	}
	return json.NewDecoder(answer.Body).Decode(response)
}
