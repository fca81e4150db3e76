"""The fallback engine: serves edgepipe's model repositories where no Triton can run.

It speaks the part of the KServe v2 HTTP protocol that the local server uses, on the same repository
folders: health, `/v2`, repository index, explicit load and unload, and infer with JSON or binary tensors.

It does not do, and refuses with an error that says so: backends other than `python`, platforms other than
`ensemble`, `max_batch_size` above 0, any `config.pbtxt` field that it does not know (batching, sequences,
version policies, rate limits, response caches), more than one instance a model, versions other than 1,
string (BYTES) tensors, compressed bodies, shared memory, gRPC, metrics, decoupled models and calls between
models (BLS).

Unlike Triton it runs all models in one process, so a model that crashes the interpreter takes the engine
with it; Greengrass then restarts the component.
"""
