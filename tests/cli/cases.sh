# Small files of the kind people have (tests/data/cases): an answer, or a refusal that names the place
# and the way out.
cases=$here/../data/cases

# answers FILE MEAN ARGUMENT...: the mean of the first output begins with these digits
answers() {
    file=$cases/$1 mean=$2
    shift 2
    run 0 estimate "$file" -m covariance --json "$@"
    has out "\"mean\": \[$mean"
}
# refused FILE WORDS ARGUMENT...
refused() {
    file=$cases/$1 words=$2
    shift 2
    run 3 estimate "$file" -m covariance "$@"
    has err "$words"
}
answers 01_plain.safetensors 0.08
refused 05_batchnorm1d.safetensors "'1.running_mean' (8,): a batch normalisation"
refused 06_layernorm.safetensors 'LayerNorm'
refused 07_weight_norm_old.safetensors 'a weight norm (old spelling)'
refused 08_weight_norm_new.safetensors 'a weight norm (new spelling)'
answers 09_metadata_int.safetensors -1.45
answers 10_metadata_empty.safetensors '[-0-9]' -a relu
refused 11_f8_e4m3.safetensors 'dequantise'
refused 12_int8.safetensors 'dequantise'
refused 13_scalar_extra.safetensors "'temperature' ()"
answers 13_scalar_extra.safetensors 1.98 --tensors '!temperature'
refused 15_trailing_bytes.safetensors 'after the last tensor'
refused 16_nan.safetensors "'2.weight': the value at (3, 4) is not a number"
refused 17_f16_overflow_inf.safetensors "'2.weight': the value at (0, 0) is infinite"
answers 18_bf16.safetensors 0.92
refused 19_actor_critic.safetensors "actor.\* (6 tensors), critic.\* (6 tensors); --tensors 'actor.\*'"
answers 19_actor_critic.safetensors -0.[56] --tensors 'actor.*'
answers 19_actor_critic.safetensors '[-0-9]' --tensors '!actor.*'
refused 20_with_optimizer.safetensors "optimizer.\*"
answers 20_with_optimizer.safetensors 0.87 --tensors 'model.*'
refused 21_gpt2_conv1d.safetensors '--layout in-out'
refused 21_gpt2_conv1d.safetensors '--order' --layout in-out
answers 21_gpt2_conv1d.safetensors '[-0-9]' --layout in-out --order '*.c_fc.*,*.c_proj.*'
refused 21_gpt2_conv1d.safetensors 'does not name it' --layout in-out --order '*.c_fc.*'
refused 22_tied.safetensors 'share (tied weights)'
answers 30_list.npz -1.022 -a relu
refused 31_object.npz 'pickled object array'
answers 32_stack_bigendian.npy 0.21 -a relu
answers 33_stack_fortran.npy 0.81 -a relu
answers 34_whest_in_out.npy 0.22 -a relu --layout in-out --output-activation relu
answers 37_coefs.npz -0.3377242 -a relu
answers 38_flax.npz 0.9094995 -a relu
answers 39_v2.npy 1.31 -a relu
answers 40_v3.npy -0.39 -a relu
answers 70_dead_neuron.npz 0.0342 -a relu
answers 71_zero_column.npz -0.5839 -a relu
answers 72_huge.npz -2.77 -a relu
answers 73_tiny.npz 1.64 -a relu
answers 74_one.npz 0.39894228 -a relu
answers lin.npz 0.892062 -a identity,relu
refused sharded/model-00001-of-00002.safetensors 'shard 1 of 2'
refused sharded/model.safetensors.index.json 'the index of a model in shards'

# What was assumed is said
run 0 inspect "$cases/38_flax.npz" -a relu
has out 'stored (in, out): by their names'
run 0 inspect "$cases/34_whest_in_out.npy" -a relu --layout in-out
has out 'stored (in, out): by options'
run 0 inspect "$cases/32_stack_bigendian.npy" -a relu
has out 'being square, they do not tell'
run 2 inspect "$cases/38_flax.npz" --layout sideways
