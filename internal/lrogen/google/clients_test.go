package google

// The clients whose operations are compared: each has methods with operation_info.
import (
	_ "cloud.google.com/go/alloydb/apiv1"
	_ "cloud.google.com/go/apigateway/apiv1"
	_ "cloud.google.com/go/appengine/apiv1"
	_ "cloud.google.com/go/certificatemanager/apiv1"
	_ "cloud.google.com/go/datafusion/apiv1"
	_ "cloud.google.com/go/deploy/apiv1"
	_ "cloud.google.com/go/documentai/apiv1"
	_ "cloud.google.com/go/eventarc/apiv1"
	_ "cloud.google.com/go/filestore/apiv1"
	_ "cloud.google.com/go/functions/apiv2"
	_ "cloud.google.com/go/gkebackup/apiv1"
	_ "cloud.google.com/go/memcache/apiv1"
	_ "cloud.google.com/go/metastore/apiv1"
	_ "cloud.google.com/go/networkconnectivity/apiv1"
	_ "cloud.google.com/go/notebooks/apiv1"
	_ "cloud.google.com/go/redis/apiv1"
	_ "cloud.google.com/go/run/apiv2"
	_ "cloud.google.com/go/servicemanagement/apiv1"
	_ "cloud.google.com/go/speech/apiv2"
	_ "cloud.google.com/go/talent/apiv4"
	_ "cloud.google.com/go/videointelligence/apiv1"
	_ "cloud.google.com/go/workflows/apiv1"
)
