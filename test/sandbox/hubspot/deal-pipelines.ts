import type { Pipeline, Portal, Stage } from './state.ts';

/** Adds a deal pipeline and the calculated "date entered / exited" properties that HubSpot makes per stage. */
export function addPipeline(portal: Portal, pipeline: Pipeline, at: string): void {
  portal.pipelines.push(pipeline);
  const deals = portal.tables.get('0-3');
  if (deals === undefined) throw new Error(`portal ${portal.id} has no deals`);
  for (const stage of pipeline.stages) {
    for (const edge of ['entered', 'exited']) {
      const name = `hs_v2_date_${edge}_${stage.id}`;
      deals.properties.set(name, {
        name,
        label: `Date ${edge} "${stage.label} (${pipeline.label})"`,
        type: 'datetime',
        fieldType: 'calculation_read_time',
        groupName: 'deal_stage_data',
        description: '',
        options: [],
        hasUniqueValue: false,
        hubspotDefined: true,
        readOnly: true,
        calculated: true,
        createdAt: at,
        updatedAt: at,
        archived: false,
      });
    }
  }
}

/** The stage of that id in any pipeline. */
export function stageOf(portal: Portal, stageId: string | null | undefined): Stage | null {
  for (const pipeline of portal.pipelines) {
    const stage = pipeline.stages.find((candidate) => candidate.id === stageId);
    if (stage !== undefined) return stage;
  }
  return null;
}

/** HubSpot's own sales pipeline, which every portal starts with. */
export function defaultPipeline(at: string): Pipeline {
  const stage = (
    id: string,
    label: string,
    displayOrder: number,
    probability: string,
    isClosed = 'false',
  ) => ({
    id,
    label,
    displayOrder,
    metadata: { isClosed, probability },
  });
  return {
    id: 'default',
    label: 'Sales Pipeline',
    displayOrder: 0,
    createdAt: at,
    updatedAt: at,
    stages: [
      stage('appointmentscheduled', 'Appointment Scheduled', 0, '0.2'),
      stage('qualifiedtobuy', 'Qualified To Buy', 1, '0.4'),
      stage('presentationscheduled', 'Presentation Scheduled', 2, '0.6'),
      stage('decisionmakerboughtin', 'Decision Maker Bought-In', 3, '0.8'),
      stage('contractsent', 'Contract Sent', 4, '0.9'),
      stage('closedwon', 'Closed Won', 5, '1.0', 'true'),
      stage('closedlost', 'Closed Lost', 6, '0.0', 'true'),
    ],
  };
}
