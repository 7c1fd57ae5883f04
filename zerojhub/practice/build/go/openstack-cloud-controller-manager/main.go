// The OpenStack cloud controller manager, as its own main.go starts it.
package main

import (
	"os"

	"k8s.io/apimachinery/pkg/util/wait"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider-openstack/pkg/openstack"
	"k8s.io/cloud-provider/app"
	"k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	"k8s.io/component-base/cli"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/klog/v2"
)

func main() {
	asked, err := options.NewCloudControllerManagerOptions()
	if err != nil {
		klog.Fatal(err)
	}
	flags := cliflag.NamedFlagSets{}
	openstack.AddExtraFlags(flags.FlagSet("OpenStack Client"))
	cloud := func(config *config.CompletedConfig) cloudprovider.Interface {
		about := config.ComponentConfig.KubeCloudShared.CloudProvider
		cloud, err := cloudprovider.InitCloudProvider(about.Name, about.CloudConfigFile)
		if err != nil || cloud == nil {
			klog.Fatalf("cloud provider %q: %v", about.Name, err)
		}
		return cloud
	}
	constructors, aliases := app.DefaultInitFuncConstructors, names.CCMControllerAliases()
	command := app.NewCloudControllerManagerCommand(asked, cloud, constructors, aliases, flags, wait.NeverStop)
	os.Exit(cli.Run(command))
}
