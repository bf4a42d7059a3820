"""Runs moto's Step Functions engine: python engine.py PORT ENDPOINT

PORT     where it listens; 0 for any free one: the first line it prints is the port
ENDPOINT who answers what the machines call of other services: Lambda, S3, EventBridge

Each wait of a Wait state or of a retry is printed, and takes a hundredth of its time. It ends with its standard input.
"""

import json
import sys
import time
from types import SimpleNamespace

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.server import create_backend_app  # noqa: F401  (registers the services)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.utils import boto_client

port, endpoint = int(sys.argv[1]), sys.argv[2]
default_user_config["stepfunctions"] = {"execute_state_machine": True}


def client(service_name, config, endpoint_url=None, **kwargs):
    """Every call of the engine to a service goes through this."""
    if service_name == "stepfunctions":
        return Executions(boto3.client(service_name=service_name, config=config, endpoint_url=own, **kwargs))
    addressed = config.merge(Config(s3={"addressing_style": "path"}))
    return boto3.client(service_name=service_name, config=addressed, endpoint_url=endpoint, **kwargs)


class Executions:
    """The engine as its own client. In the language keys of requests begin with a capital letter, for boto with a small one; moto maps neither way."""

    def __init__(self, client):
        self.describe_execution = client.describe_execution
        self._start = client.start_execution

    def start_execution(self, **asked):
        answer = self._start(**{key[0].lower() + key[1:]: value for key, value in asked.items()})
        return {key[0].upper() + key[1:]: value for key, value in answer.items()}


def sleep(kind, seconds):
    print(json.dumps({"wait": kind, "seconds": seconds}), flush=True)
    time.sleep(seconds / 100)


boto_client.boto3 = SimpleNamespace(client=client)
retrier_decl.time = SimpleNamespace(sleep=lambda seconds: sleep("retry", seconds))
wait_function.WaitFunction._wait_interval = lambda self, env, wait_seconds: sleep("state", wait_seconds)

server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
server.start()
own = "http://%s:%d" % server.get_host_and_port()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
