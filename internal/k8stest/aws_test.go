package k8stest_test

import batchv1 "k8s.io/api/batch/v1"

func awsWebhook(job *batchv1.Job) error { return nil }
