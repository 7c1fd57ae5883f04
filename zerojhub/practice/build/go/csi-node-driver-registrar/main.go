// Tells kubelet of a CSI driver, in place of kubernetes-csi's program of this name and with the same flags: kubelet finds
// the socket in its folder of plugins, asks there for the driver's name and socket, and says how registering it went.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const patience = time.Minute

type registrar struct {
	registration.UnsafeRegistrationServer
	about *registration.PluginInfo
}

func (r registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return r.about, nil
}

func (r registrar) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !status.PluginRegistered {
		log.Fatalf("kubelet does not register %s: %s", r.about.Name, status.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// nameOf asks the driver, which may not be there yet.
func nameOf(address string) string {
	connection, err := grpc.NewClient("unix://"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	soon, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	about, err := csi.NewIdentityClient(connection).GetPluginInfo(soon, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		log.Fatalf("the driver at %s: %v", address, err)
	}
	return about.GetName()
}

func main() {
	driver := flag.String("csi-address", "/run/csi/socket", "socket of the driver as this program sees it")
	endpoint := flag.String("kubelet-registration-path", "", "socket of the driver as kubelet sees it")
	folder := flag.String("plugin-registration-path", "/registration", "kubelet's folder of plugins")
	flag.Parse()

	name := nameOf(*driver)
	socket := filepath.Join(*folder, name+"-reg.sock")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, registrar{about: &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: name, Endpoint: *endpoint, SupportedVersions: []string{"1.0.0"},
	}})
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ended, server.Stop)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
