package k8s

import corev1 "k8s.io/api/core/v1"

// Env adds a variable to the environment of workers. Everybody who may read
// Jobs may read its value; for secrets see SecretEnv.
func Env(name, value string) Option {
	return func(s *settings) { s.env = append(s.env, variable(name, value)) }
}

// SecretEnv adds a variable with the value of a key of a Secret.
func SecretEnv(name, secret, key string) Option {
	return envFrom(name, &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named(secret), Key: key}})
}

// ConfigMapEnv adds a variable with the value of a key of a ConfigMap.
func ConfigMapEnv(name, configMap, key string) Option {
	return envFrom(name, &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named(configMap), Key: key}})
}

// EnvFromSecret adds all keys of a Secret to the environment of workers.
func EnvFromSecret(name string) Option {
	return func(s *settings) {
		s.envFrom = append(s.envFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named(name)}})
	}
}

// EnvFromConfigMap adds all keys of a ConfigMap to the environment of workers.
func EnvFromConfigMap(name string) Option {
	return func(s *settings) {
		s.envFrom = append(s.envFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named(name)}})
	}
}

func envFrom(name string, source *corev1.EnvVarSource) Option {
	return func(s *settings) { s.env = append(s.env, corev1.EnvVar{Name: name, ValueFrom: source}) }
}

func named(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
