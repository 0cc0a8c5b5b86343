"""The package transformers on wengert: training, its Trainer, generating text, folders of weights."""

from packages import run

MODELS = """
import transformers
transformers.logging.set_verbosity_error()
sizes = dict(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
def llama(**options):
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, num_key_value_heads=2, **options))
tokens = torch.arange(10).remainder(8).repeat(8, 1)
def losses_of(model, loss, steps=15):
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        found = loss(model)
        found.backward()
        optimizer.step()
        losses.append(found.item())
    assert losses[-1] < 0.6 * losses[0], losses
"""


def test_language_models_learn():
    run(
        "transformers",
        MODELS
        + """
for attention in ("eager", "sdpa", "flex_attention"):
    losses_of(llama(attn_implementation=attention), lambda m: m(tokens, labels=tokens).loss)
gpt2 = transformers.GPT2Config(vocab_size=40, n_positions=32, n_embd=32, n_layer=2, n_head=4)
losses_of(transformers.GPT2LMHeadModel(gpt2), lambda m: m(tokens, labels=tokens).loss, 30)
t5 = transformers.T5Config(vocab_size=40, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0)
losses_of(transformers.T5ForConditionalGeneration(t5), lambda m: m(tokens, labels=tokens).loss, 40)
""",
    )


def test_encoders_learn():
    run(
        "transformers",
        MODELS
        + """
bert = transformers.BertForSequenceClassification(transformers.BertConfig(**sizes, num_labels=2))
mask = torch.ones(8, 10, dtype=torch.long)
mask[:, 7:] = 0
words, classes = torch.randint(2, 40, (8, 10)), torch.arange(8) % 2
words[:, 0] = classes
losses_of(bert, lambda m: m(words, attention_mask=mask, labels=classes).loss, 40)
sizes.pop("vocab_size")
vit = transformers.ViTConfig(image_size=16, patch_size=4, num_labels=2, **sizes)
images = torch.randn(8, 3, 16, 16) + classes[:, None, None, None]
losses_of(transformers.ViTForImageClassification(vit), lambda m: m(images, labels=classes).loss)
mamba = transformers.MambaConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, state_size=4)
losses_of(transformers.MambaForCausalLM(mamba), lambda m: m(tokens, labels=tokens).loss, 30)
""",
    )


def test_folders_of_weights_and_generated_text():
    run(
        "transformers",
        MODELS
        + """
import tempfile
model = llama()
losses_of(model, lambda m: m(tokens, labels=tokens).loss, 40)
model.eval()
options = dict(max_new_tokens=6, pad_token_id=0, do_sample=False)
found = model.generate(tokens[:1, :4], **options)
assert found[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1], found
assert torch.equal(found, model.generate(tokens[:1, :4], use_cache=False, **options))
assert torch.equal(found, model.generate(tokens[:1, :4], num_beams=3, **options))
sampled = model.generate(tokens[:2, :4], max_new_tokens=6, pad_token_id=0, do_sample=True, top_k=5, top_p=0.9)
assert sampled.shape == (2, 10) and sampled.max() < 40
for shards in ("5GB", "20KB"):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, max_shard_size=shards)
        again = transformers.AutoModelForCausalLM.from_pretrained(folder)
        half = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert torch.equal(found, again.generate(tokens[:1, :4], **options)) and half.lm_head.weight.dtype == torch.bfloat16
""",
    )


def test_its_trainer():
    run(
        "transformers",
        MODELS
        + """
import tempfile
class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 16
    def __getitem__(self, i):
        return {"input_ids": tokens[i % 8], "labels": tokens[i % 8]}
with tempfile.TemporaryDirectory() as folder:
    options = dict(per_device_train_batch_size=4, num_train_epochs=3, learning_rate=5e-3, logging_steps=1, report_to=[])
    options |= dict(eval_strategy="epoch", save_strategy="epoch", use_cpu=True, disable_tqdm=True)
    arguments = transformers.TrainingArguments(folder, gradient_accumulation_steps=2, lr_scheduler_type="cosine", **options)
    def trained(**where):
        trainer = transformers.Trainer(model=llama(), args=arguments, train_dataset=Data(), eval_dataset=Data())
        trainer.train(**where)
        return trainer
    first = trained()
    losses = [entry["loss"] for entry in first.state.log_history if "loss" in entry]
    assert len(losses) == 6 and float(losses[-1]) < float(losses[0]), losses
    again = trained(resume_from_checkpoint=folder + "/checkpoint-4")
    assert abs(first.evaluate()["eval_loss"] - again.evaluate()["eval_loss"]) < 1e-4
""",
    )
