// Gives each claim of the storage class a directory of its own once its pod has a node, and takes it back when the claim
// is gone.
//
//	volumes KUBECONFIG FOLDER
//
// The volumes are of the type "local", because the kubelet hands only such a directory over to a pod's fsGroup.
// All nodes are on one disk, so a pod finds its volume on any of them.
// A claim waits for the scheduler's word (WaitForFirstConsumer): of one that is bound while its pod is being scheduled the
// scheduler may hear nothing more, and let the pod wait for five minutes.
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/reference"
	"k8s.io/client-go/util/workqueue"
)

const (
	provisioner = "botellier.io/directory"
	class       = "standard"
	annotation  = "pv.kubernetes.io/provisioned-by"
	chosenNode  = "volume.kubernetes.io/selected-node"
)

type volumes struct {
	client kubernetes.Interface
	folder string
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: volumes KUBECONFIG FOLDER")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	v := volumes{kubernetes.NewForConfigOrDie(config), os.Args[2]}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[any]())
	factory := informers.NewSharedInformerFactory(v.client, time.Minute)
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { queue.Add(object) },
		UpdateFunc: func(_, object any) { queue.Add(object) },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().PersistentVolumeClaims().Informer(),
		factory.Core().V1().PersistentVolumes().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			log.Fatal(err)
		}
	}
	factory.Start(nil)
	for {
		object, _ := queue.Get()
		if err := v.handle(context.Background(), object); err != nil {
			log.Print(err)
			queue.AddRateLimited(object)
		} else {
			queue.Forget(object)
		}
		queue.Done(object)
	}
}

func (v volumes) handle(ctx context.Context, object any) error {
	switch object := object.(type) {
	case *core.PersistentVolumeClaim:
		ours := object.Spec.StorageClassName != nil && *object.Spec.StorageClassName == class
		wanted := ours && object.Annotations[chosenNode] != ""
		if wanted && object.Spec.VolumeName == "" && object.DeletionTimestamp == nil {
			return v.provision(ctx, object)
		}
	case *core.PersistentVolume:
		ours := object.Annotations[annotation] == provisioner
		if ours && object.Status.Phase == core.VolumeReleased &&
			object.Spec.PersistentVolumeReclaimPolicy == core.PersistentVolumeReclaimDelete {
			return v.remove(ctx, object)
		}
	}
	return nil
}

func (v volumes) provision(ctx context.Context, claim *core.PersistentVolumeClaim) error {
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(v.folder, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	owner, err := reference.GetReference(scheme.Scheme, claim)
	if err != nil {
		return err
	}
	everywhere := core.NodeSelectorRequirement{Key: core.LabelOSStable, Operator: core.NodeSelectorOpExists}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{annotation: provisioner}},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			ClaimRef:                      owner,
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimDelete,
			PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: path}},
			StorageClassName:              class,
			VolumeMode:                    claim.Spec.VolumeMode,
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{
				{MatchExpressions: []core.NodeSelectorRequirement{everywhere}},
			}}},
		},
	}
	_, err = v.client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (v volumes) remove(ctx context.Context, volume *core.PersistentVolume) error {
	if err := os.RemoveAll(filepath.Join(v.folder, volume.Name)); err != nil {
		return err
	}
	err := v.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{})
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
